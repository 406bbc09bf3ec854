"""Memory that arrays leave is used again: not asked for anew, page by page."""

import os
import platform
import subprocess
import sys

import pytest

from minigan import memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")

COUNT = """
import resource
import minigan
import numpy as np
np.ones(10**6, np.float32).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(10**6, np.float32).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(**variables):
    theirs = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "MINIGAN_KEEP_MALLOC")
    environment = {name: value for name, value in os.environ.items() if name not in theirs} | variables
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


@glibc
def test_an_array_takes_the_place_of_the_last_one():
    pages = 4 * 10**6 // 4096
    assert _page_faults() < 2 * pages  # one array's, not fifty's


@glibc
def test_a_users_own_setting_stands():
    pages = 4 * 10**6 // 4096
    assert _page_faults(MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536") > 40 * pages


@pytest.mark.parametrize("variable", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_nothing_is_done_where_the_user_has_decided(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    assert not memory.keep_freed()


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("MINIGAN_KEEP_MALLOC", "1")
    assert not memory.keep_freed()


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_other_systems_are_left_alone(monkeypatch, error):
    def no_such_thing(name):
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", no_such_thing)
    assert not memory.keep_freed()


GIVE_BACK = """
import numpy as np
from minigan import memory
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) * 1024
arrays = [np.ones(10**6, np.float32) for _ in range(20)]  # 80 MB, none so large that it is given back at once
kept = np.ones(10)
del arrays
before = resident()
done = memory.give_back()
print(done, before - resident())
"""


@glibc
def test_what_is_free_is_given_back_when_asked():
    command = [sys.executable, "-c", "import minigan\n" + GIVE_BACK]
    done, bytes_back = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert done == "True"
    assert int(bytes_back) > 60 * 10**6
