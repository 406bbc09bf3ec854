"""Downloads against a mirror on this machine that truncates, corrupts, refuses and stops in the middle."""

import gzip
import hashlib
import threading

import numpy as np
import pytest

from minigan.data import download as module
from minigan.data.download import download
from minigan.errors import DataError

CONTENT = np.random.default_rng(0).bytes(200_000)  # several pieces of a transfer; does not compress
PIECE = module._PIECE  # what came of an unfinished piece is lost
STOP = 10 * PIECE
OTHER = np.random.default_rng(1).bytes(200_000)


def packed(content, level=9):
    return gzip.compress(content, level, mtime=0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "downloads"


@pytest.fixture
def get(folder):
    def get(*mirrors):
        addresses = [m if isinstance(m, str) else m.address for m in mirrors]
        checksum = hashlib.sha256(CONTENT).hexdigest()
        return download("digits", size=len(CONTENT), sha256=checksum, mirrors=addresses, folder=folder)

    return get


@pytest.fixture
def good(make_mirror):
    mirror = make_mirror()
    mirror.files["digits.gz"] = packed(CONTENT)
    return mirror


def left(folder):
    """Return the names of all files but the lock's."""
    return sorted(f.name for f in folder.iterdir() if f.suffix != ".lock")


def parts(folder):
    return [f for f in folder.iterdir() if f.suffix == ".part"]


def interrupt(good, get, after):
    """Let the connection break after so many bytes, and give nothing when asked again."""
    good.cuts[:] = [after, 0]
    with pytest.raises(DataError):
        get(good)
    assert good.cuts == []
    good.asked.clear()


class TestGood:
    def test_file_is_unpacked_and_alone(self, good, get, folder):
        path = get(good)
        assert path == folder / "digits"
        assert path.read_bytes() == CONTENT
        assert left(folder) == ["digits"]
        assert good.asked == [("digits.gz", None)]

    def test_second_call_asks_nobody(self, good, get, refusing):
        get(good)
        assert get(refusing).read_bytes() == CONTENT
        assert len(good.asked) == 1

    @pytest.mark.parametrize(
        "other", [packed(CONTENT, level=0), packed(CONTENT[:500]) + packed(CONTENT[500:]), CONTENT]
    )
    def test_any_packing_of_the_right_content_will_do(self, good, get, other):
        good.files["digits.gz"] = other
        assert get(good).read_bytes() == CONTENT

    def test_damaged_file_on_disk_is_replaced(self, good, get):
        path = get(good)
        path.write_bytes(CONTENT[:-1] + b"?")
        assert get(good).read_bytes() == CONTENT
        assert len(good.asked) == 2

    def test_address_may_lack_its_last_slash(self, good, get):
        assert get(good.address.rstrip("/")).read_bytes() == CONTENT

    def test_two_at_a_time_download_once(self, good, get):
        results = []
        threads = [threading.Thread(target=lambda: results.append(get(good).read_bytes())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [CONTENT] * 3
        assert len(good.asked) == 1


class TestTruncated:
    def test_rest_is_asked_for_at_once(self, good, get, folder):
        good.cuts[:] = [5 * PIECE, 4 * PIECE + 1]
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", wanted) for wanted in (None, f"bytes={5 * PIECE}-", f"bytes={9 * PIECE}-")]
        assert left(folder) == ["digits"]

    def test_interrupted_download_leaves_a_part_and_no_file(self, good, get, folder):
        interrupt(good, get, after=STOP)
        (part,) = parts(folder)
        assert left(folder) == [part.name]
        assert part.read_bytes() == packed(CONTENT)[:STOP]

    def test_next_call_goes_on_where_it_stopped(self, good, get, folder):
        interrupt(good, get, after=STOP)
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", f"bytes={STOP}-")]
        assert left(folder) == ["digits"]

    def test_ctrl_c_keeps_what_has_come(self, good, get, folder, monkeypatch):
        def stop(self, n=1):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("tqdm.tqdm.update", stop)
            with pytest.raises(KeyboardInterrupt):
                get(good)
        (part,) = parts(folder)
        kept = part.stat().st_size
        assert 0 < kept < len(packed(CONTENT))
        assert left(folder) == [part.name]
        assert get(good).read_bytes() == CONTENT
        assert good.asked[-1] == ("digits.gz", f"bytes={kept}-")

    def test_stopped_between_download_and_unpacking(self, good, get, monkeypatch):
        def stop(*args):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, "_unpack", stop)
            with pytest.raises(KeyboardInterrupt):
                get(good)
        assert get(good).read_bytes() == CONTENT
        assert good.asked[1:] == [("digits.gz", f"bytes={len(packed(CONTENT))}-")]  # which answers that all is there

    def test_mirror_that_cannot_resume_sends_everything_again(self, good, get):
        interrupt(good, get, after=STOP)
        good.resumes = False
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", f"bytes={STOP}-")]

    def test_always_truncating_mirror_is_given_up(self, good, get, folder):
        good.resumes = False
        good.cuts[:] = [STOP] * 100
        with pytest.raises(DataError, match=r"IncompleteRead|ended after 81,920 of"):
            get(good)
        assert len(good.asked) == 2  # the second brought nothing new
        assert len(parts(folder)) == 1

    def test_dripping_mirror_is_given_up(self, good, get):
        good.cuts[:] = [PIECE] * 100
        with pytest.raises(DataError):
            get(good)
        assert len(good.asked) == 5

    def test_truncation_without_a_length_is_noticed_by_the_content(self, good, get, make_mirror, folder):
        good.says_length = False
        assert get(good).read_bytes() == CONTENT  # works when it is whole
        (folder / "digits").unlink()
        good.cuts[:] = [STOP]
        with pytest.raises(DataError, match="wrong content"):
            get(good)
        assert left(folder) == []

    def test_part_of_another_content_is_thrown_away(self, good, get, folder):
        good.files["digits.gz"] = packed(OTHER)
        interrupt(good, get, after=STOP)
        good.files["digits.gz"] = packed(CONTENT)
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", f"bytes={STOP}-"), ("digits.gz", None)]
        assert left(folder) == ["digits"]

    def test_part_longer_than_the_file_is_thrown_away(self, good, get, folder):
        interrupt(good, get, after=STOP)
        (part,) = parts(folder)
        part.write_bytes(bytes(300_000))
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", "bytes=300000-"), ("digits.gz", None)]

    def test_other_range_than_asked_for_is_not_believed(self, good, get):
        interrupt(good, get, after=STOP)
        good.right_range = False
        assert get(good).read_bytes() == CONTENT
        assert good.asked == [("digits.gz", f"bytes={STOP}-"), ("digits.gz", None)]

    def test_parts_of_two_mirrors_are_not_mixed(self, good, get, make_mirror):
        interrupt(good, get, after=STOP)
        second = make_mirror()
        second.files["digits.gz"] = packed(CONTENT, level=0)
        assert get(second, good).read_bytes() == CONTENT
        assert second.asked == [("digits.gz", None)]


class TestWrong:
    @pytest.mark.parametrize(
        "wrong",
        [
            packed(OTHER),
            packed(CONTENT[:-1]),
            packed(CONTENT + b"x"),
            OTHER,
            b"<html>please log in</html>",
            b"",
            packed(CONTENT)[:-5],
            packed(CONTENT)[:100_000] + b"\xff" + packed(CONTENT)[100_001:],
            packed(CONTENT) + b"trailing",
            packed(bytes(5_000_000)),
            bytes(1_000_000),
        ],
    )
    def test_wrong_content_is_rejected_and_deleted(self, good, get, folder, wrong):
        good.files["digits.gz"] = wrong
        with pytest.raises(DataError, match=r"digits\.gz: wrong content, deleted"):
            get(good)
        assert left(folder) == []
        good.files["digits.gz"] = packed(CONTENT)
        assert get(good).read_bytes() == CONTENT

    def test_bomb_is_not_unpacked_beyond_the_size(self, tmp_path):
        (tmp_path / "part").write_bytes(packed(bytes(5_000_000)))
        module._unpack(tmp_path / "part", tmp_path / "out", size=1000)
        assert (tmp_path / "out").stat().st_size == 1001

    def test_endless_answer_is_cut(self, good, get, folder, monkeypatch):
        good.files["digits.gz"] = bytes(20_000_000)
        good.says_length = False
        written = []
        monkeypatch.setattr("tqdm.tqdm.update", lambda self, n: written.append(n))
        with pytest.raises(DataError, match="wrong content"):
            get(good)
        assert sum(written) < len(CONTENT) + 200_000


class TestRefused:
    def test_second_mirror_helps_when_nobody_listens_at_the_first(self, good, get, refusing):
        assert get(refusing, good).read_bytes() == CONTENT

    @pytest.mark.parametrize("status", [403, 404, 500, 503])
    def test_second_mirror_helps_when_the_first_has_an_error(self, good, get, mirror, status):
        mirror.status = status
        assert get(mirror, good).read_bytes() == CONTENT
        assert len(mirror.asked) == 1

    def test_second_mirror_helps_when_the_first_is_wrong(self, good, get, mirror, folder):
        mirror.files["digits.gz"] = packed(OTHER)
        assert get(mirror, good).read_bytes() == CONTENT
        assert left(folder) == ["digits"]

    def test_mirrors_are_asked_in_order_and_no_more_than_needed(self, good, get, mirror):
        get(good, mirror)
        assert mirror.asked == []

    def test_all_down_lists_what_each_answered(self, get, refusing, mirror, make_mirror, folder):
        broken, wrong = make_mirror(), make_mirror()
        broken.status = 500
        wrong.files["digits.gz"] = packed(OTHER)
        with pytest.raises(DataError) as caught:
            get(refusing, mirror, broken, wrong, "http://no-such-host.invalid/", "no address at all")
        message = str(caught.value)
        assert "\n" not in message
        for said in (
            f"{refusing}digits.gz: ",
            "Connection refused",
            f"{mirror.address}digits.gz: HTTP 404 Not Found",
            f"{broken.address}digits.gz: HTTP 500 Internal Server Error",
            f"{wrong.address}digits.gz: wrong content, deleted",
            "http://no-such-host.invalid/digits.gz: a test looked up no-such-host.invalid",
            "no address at all/digits.gz: ",
        ):
            assert said in message
        assert left(folder) == []

    def test_no_mirror_at_all(self, get):
        with pytest.raises(DataError, match="none was named"):
            get()


class TestDisk:
    def test_folder_that_cannot_be_made(self, good, get, folder):
        folder.write_text("in the way")
        with pytest.raises(DataError, match="cannot be written"):
            get(good)
        assert good.asked == []

    def test_full_disk_is_not_the_mirrors_fault(self, good, get, folder, monkeypatch, mirror):
        def full(*args):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(module, "_unpack", full)
            with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
                get(good, mirror)
        assert mirror.asked == []
        assert get(good).read_bytes() == CONTENT
