"""Work that threads share: all of it is done, once, with the same bits, whatever happens around it."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels import convolution, recurrent, threads
from minigan.kernels.jit import AVX512, njit
from minigan.kernels.products import matmul
from minigan.kernels.threads import share

pause = threads._pause

pytestmark = pytest.mark.skipif(not AVX512, reason="this processor has no AVX-512, or nothing is compiled")


@pytest.fixture(autouse=True)
def _two_threads():
    threads.limit(2)
    yield
    threads.limit(None)
    threads.stop()


@share
@njit(cache=False)
def _count(part, done, size):
    for i in range(part * size, (part + 1) * size):
        done[i] += part


@njit(cache=False)
def count(parts, done, size):
    _count(parts, done, size)


@given(parts=st.integers(0, 40), size=st.integers(0, 300))
def test_every_part_is_done_once(parts, size):
    done = np.zeros(parts * size, np.int64)
    for _ in range(3):
        count(parts, done, size)
    assert np.array_equal(done, 3 * np.repeat(np.arange(parts), size))


@share
@njit(cache=False)
def _meet(part, arrived, patience):
    arrived[16 * part] = 1
    while arrived[16 * (1 - part)] == 0 and patience > 0:
        patience -= 1
        pause()
    arrived[16 * part] = 2 if arrived[16 * (1 - part)] else 3


@njit(cache=False)
def meet(arrived):
    _meet(2, arrived, 10**6)


def test_two_parts_are_done_at_the_same_time():
    met = []
    for _ in range(50):  # the helper may come late, now and then
        arrived = np.zeros(32, np.int64)
        threads.board[threads.ALONE_UNTIL] = 0
        meet(arrived)
        met.append(arrived[0] == arrived[16] == 2)
        if met[-1]:
            break
    assert met[-1]


@share
@njit(cache=False)
def _inner(part, done):
    done[part] += 1


@share
@njit(cache=False)
def _outer(part, done):
    _inner(len(done[part]), done[part])


@njit(cache=False)
def nested(done):
    _outer(len(done), done)


def test_a_part_may_share_work_itself():
    done = np.zeros((7, 9), np.int64)
    nested(done)
    assert (done == 1).all()


def test_two_threads_of_python_may_share_work_at_once():
    results = [np.zeros(64 * 50, np.int64) for _ in range(3)]

    def work(done):
        for _ in range(2000):
            count(64, done, 50)

    others = [threading.Thread(target=work, args=(done,)) for done in results]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    for done in results:
        assert np.array_equal(done, 2000 * np.repeat(np.arange(64), 50))


@share
@njit(cache=False)
def _take_memory(part, sizes, out):
    out[part] = np.empty(sizes[part], np.float64).size


@njit(cache=False)
def take_memory(sizes, out):
    _take_memory(len(sizes), sizes, out)


@pytest.mark.parametrize("too_much", range(4))
def test_a_part_that_fails_is_an_error_and_the_next_job_is_done(too_much):
    sizes, out = np.full(4, 100), np.zeros(4, np.int64)
    sizes[too_much] = 2**59
    with pytest.raises(MemoryError):
        take_memory(sizes, out)
    sizes[too_much] = 7
    take_memory(sizes, out)
    assert np.array_equal(out, sizes)


def test_whoever_waited_long_works_alone_for_a_while():
    stalls = []
    for _ in range(50):
        arrived = np.zeros(32, np.int64)
        threads.board[threads.ALONE_UNTIL] = 0
        wait_for_the_other(arrived)
        stalls.append(threads.board[threads.ALONE_UNTIL] > 0)
        if stalls[-1]:
            break
    assert stalls[-1]


@share
@njit(cache=False)
def _last_part_is_long(part, done):
    for i in range((1 + 9 * part) * 10**5):  # the first one long enough for the helper to wake up
        done[16 * part] += i % 3
        pause()


@njit(cache=False)
def wait_for_the_other(done):
    _last_part_is_long(2, done)


# -- the same bits with any number of threads -------------------------------------------------------------------------


def _product():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((130, 200), dtype=np.float32), rng.standard_normal((200, 150), dtype=np.float32)
    out = np.empty((130, 150), np.float32)
    matmul(out, x, y)
    turned = np.empty((200, 150), np.float32)
    matmul(turned, np.ones((128, 200), np.float32).T, rng.standard_normal((128, 150), dtype=np.float32))
    return out, turned


def _convolutions():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((37, 5, 14, 14), dtype=np.float32), rng.standard_normal((24, 5, 4, 4), dtype=np.float32)
    options = {"stride": (2, 2), "padding": (1, 1)}
    y = convolution.conv2d(x, w, **options)
    back = convolution.conv_transpose2d(y, w, (14, 14), **options)
    return y, back, convolution.conv2d_weight(x, y, (4, 4), **options)


def _recurrent():
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    T, N, C, H = 3, 41, 5, 12
    shapes = [(T, N, H), (T, N, H), (T, N, 4 * H)]
    inputs = [draw(T, N, C), draw(N, H), draw(N, H), draw(4 * H, C), draw(4 * H, H), *(draw(4 * H) for _ in range(2))]
    return recurrent.on_host(recurrent.lstm_forward, shapes, inputs)


@pytest.mark.parametrize("work", [_product, _convolutions, _recurrent])
def test_any_number_of_threads_gives_the_same_bits(work):
    results = {}
    for number in (1, 2, 3, 4):
        threads.limit(number)
        assert len(threads._helpers) == number - 1
        results[number] = [[a.tobytes() for a in work()] for _ in range(5)]
    assert all(again == results[1][0] for result in results.values() for again in result)


# -- processes --------------------------------------------------------------------------------------------------------

SCRIPT = """
import os, sys
import numpy as np
from minigan.kernels import threads
from minigan.kernels.products import matmul

threads.limit(2)
rng = np.random.default_rng(0)
x, y = rng.standard_normal((128, 128), dtype=np.float32), rng.standard_normal((128, 128), dtype=np.float32)
out = np.empty((128, 128), np.float32)
matmul(out, x, y)
first = out.copy()
child = os.fork()
out[:] = 0
matmul(out, x, y)
assert np.array_equal(out, first)
if child == 0:
    assert not threads._helpers
    threads.start()
    matmul(out, x, y)
    assert np.array_equal(out, first)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("from the cache", sum(matmul.stats.cache_hits.values()))
"""


def test_it_works_from_the_cache_and_in_a_process_made_by_fork(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for hits in (0, 1):
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"from the cache {hits}"


@pytest.mark.parametrize(("said", "number"), [("1", 1), ("0", 1), ("-3", None), ("many", None), ("", None)])
def test_omp_num_threads_is_respected(monkeypatch, said, number):
    threads.limit(None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    without = threads.count()
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert threads.count() == (number or without)


def test_a_limit_of_one_sends_the_helpers_away_and_nobody_calls_them_back():
    threads.limit(1)
    threads.start()
    assert not threads.board[threads.HELPERS]
    assert not any(t.name == "minigan helper" for t in threading.enumerate())
    done = np.zeros(20, np.int64)
    count(4, done, 5)
    assert np.array_equal(done, np.repeat(np.arange(4), 5))
