"""MNIST from a folder, the environment, the cache or a mirror; and, where it is at hand, the real one."""

import gzip
import hashlib
import os
import sys

import numpy as np
import pytest

from minigan import data
from minigan.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)
CLASSES = RNG.integers(0, 10, 20, dtype=np.uint8)
REAL = os.environ.get("MINIGAN_DATA")  # read before the fixtures hide it


@pytest.fixture
def contents(idx_bytes):
    """The four files, small: the test set is the training set's first half."""
    return {
        "train-images-idx3-ubyte": idx_bytes(IMAGES),
        "train-labels-idx1-ubyte": idx_bytes(CLASSES),
        "t10k-images-idx3-ubyte": idx_bytes(IMAGES[:10]),
        "t10k-labels-idx1-ubyte": idx_bytes(CLASSES[:10]),
    }


@pytest.fixture
def write(contents):
    def write(folder, rename=str, pack=bytes):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / rename(name)).write_bytes(pack(content))
        return folder

    return write


class TestFolder:
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize(
        "rename", [str, "{}.gz".format, lambda name: name.replace("-idx", ".idx"), lambda name: f"{name}.gz"]
    )
    def test_usual_names_are_found(self, tmp_path, write, rename, pack):
        dataset = data.mnist(write(tmp_path / "files", rename, pack))
        assert isinstance(dataset, data.Dataset)
        assert len(dataset) == 20
        assert dataset.shape == (1, 28, 28)
        assert dataset.array.dtype == np.uint8
        np.testing.assert_array_equal(dataset.labels, CLASSES)
        np.testing.assert_array_equal(dataset[:][:, 0], (IMAGES / 255).astype(np.float32))

    def test_test_images(self, tmp_path, write):
        dataset = data.mnist(str(write(tmp_path)), train=False)
        np.testing.assert_array_equal(dataset.array[:, 0], IMAGES[:10])

    def test_half_of_the_files_is_enough_for_one_split(self, tmp_path, write):
        write(tmp_path)
        for file in tmp_path.glob("t10k*"):
            file.unlink()
        assert len(data.mnist(tmp_path)) == 20
        with pytest.raises(DataError, match="has no t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"):
            data.mnist(tmp_path, train=False)

    def test_missing_labels_are_named(self, tmp_path, write):
        (write(tmp_path) / "train-labels-idx1-ubyte").unlink()
        with pytest.raises(DataError, match="has no train-labels-idx1-ubyte"):
            data.mnist(tmp_path)

    def test_parent_folder_gets_a_hint(self, tmp_path, write):
        write(tmp_path / "mnist")
        with pytest.raises(DataError, match=r"did you mean .*mnist\?"):
            data.mnist(tmp_path)

    def test_file_or_missing_folder(self, tmp_path):
        with pytest.raises(DataError, match="is missing, expected the folder"):
            data.mnist(tmp_path / "nowhere")
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match="is a file, expected the folder"):
            data.mnist(tmp_path / "file")

    def test_other_number_of_labels(self, tmp_path, write, idx_bytes):
        (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx_bytes(CLASSES[:19]))
        with pytest.raises(DataError, match=r"holds 20 images, .* holds 19 labels"):
            data.mnist(tmp_path)

    def test_other_size_of_images(self, tmp_path, write, idx_bytes):
        (write(tmp_path) / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES[:, :27]))
        with pytest.raises(DataError, match=r"items of shape \(27, 28\), expected \(28, 28\)"):
            data.mnist(tmp_path)

    def test_labels_in_place_of_images(self, tmp_path, write, idx_bytes):
        (write(tmp_path) / "train-images-idx3-ubyte").write_bytes(idx_bytes(CLASSES))
        with pytest.raises(DataError, match=r"items of shape \(\), expected \(28, 28\)"):
            data.mnist(tmp_path)

    def test_damaged_file_is_not_passed_over(self, tmp_path, write, contents):
        (write(tmp_path) / "train-images-idx3-ubyte").write_bytes(contents["train-images-idx3-ubyte"][:-1])
        with pytest.raises(DataError, match="truncated"):
            data.mnist(tmp_path)

    def test_folder_in_place_of_a_file(self, tmp_path, write):
        (write(tmp_path) / "train-images-idx3-ubyte").unlink()
        (tmp_path / "train-images-idx3-ubyte").mkdir()
        with pytest.raises(DataError, match="is a folder"):
            data.mnist(tmp_path)


class TestEnvironment:
    def test_names_the_folder_above(self, tmp_path, write, monkeypatch):
        write(tmp_path / "mnist")
        monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
        assert len(data.mnist(mirrors=[])) == 20

    def test_path_goes_first(self, tmp_path, write, monkeypatch):
        write(tmp_path / "mnist")
        monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="empty: has no"):
            data.mnist(tmp_path / "empty")

    @pytest.mark.parametrize("value", ["", "nowhere"])
    def test_without_files_there_the_cache_is_next(self, value, monkeypatch):
        monkeypatch.setenv("MINIGAN_DATA", value)
        with pytest.raises(DataError, match="none was named"):
            data.mnist(mirrors=[])


class TestDownload:
    @pytest.fixture(autouse=True)
    def small_files(self, monkeypatch, contents):
        """Let the small files be the published ones."""
        published = {name: (len(c), hashlib.sha256(c).hexdigest()) for name, c in contents.items()}
        monkeypatch.setattr(sys.modules["minigan.data.mnist"], "FILES", published)

    def test_into_the_cache_and_once_only(self, mirror, contents, cache):
        mirror.files.update({f"{name}.gz": gzip.compress(content) for name, content in contents.items()})
        np.testing.assert_array_equal(data.mnist(mirrors=[mirror.address]).array[:, 0], IMAGES)
        assert [path for path, _ in mirror.asked] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
        assert (cache / "mnist" / "train-images-idx3-ubyte").read_bytes() == contents["train-images-idx3-ubyte"]
        np.testing.assert_array_equal(data.mnist(mirrors=[]).labels, CLASSES)

    def test_into_a_folder_of_choice(self, mirror, contents, tmp_path, cache):
        mirror.files.update({f"{name}.gz": gzip.compress(content) for name, content in contents.items()})
        data.mnist(train=False, mirrors=[mirror.address], cache=tmp_path / "mine")
        assert (tmp_path / "mine" / "mnist" / "t10k-images-idx3-ubyte").exists()
        assert not cache.exists()

    def test_checksum_is_enforced(self, mirror, contents, idx_bytes):
        mirror.files.update({f"{name}.gz": gzip.compress(content) for name, content in contents.items()})
        mirror.files["train-images-idx3-ubyte.gz"] = gzip.compress(idx_bytes(255 - IMAGES))
        with pytest.raises(DataError, match="wrong content"):
            data.mnist(mirrors=[mirror.address])

    def test_failure_says_what_to_do(self, refusing, mirror):
        with pytest.raises(DataError) as caught:
            data.mnist(mirrors=[refusing, mirror.address])
        message = str(caught.value)
        for said in ("Connection refused", "HTTP 404", "--data", "MINIGAN_DATA"):
            assert said in message
        assert "\n" not in message


@pytest.mark.skipif(not REAL, reason="MINIGAN_DATA does not name a folder with the real MNIST in its folder mnist")
class TestReal:
    @pytest.fixture(autouse=True)
    def environment(self, cache, monkeypatch):
        monkeypatch.setenv("MINIGAN_DATA", REAL)

    @pytest.mark.parametrize(("train", "split"), [(True, "train"), (False, "t10k")])
    def test_files_are_the_published_ones(self, train, split):
        dataset = data.mnist(train=train, mirrors=[])
        for kind, header, values in (
            ("images-idx3", [0x803, len(dataset), 28, 28], dataset.array),
            ("labels-idx1", [0x801, len(dataset)], dataset.labels),
        ):
            content = np.array(header, dtype=">u4").tobytes() + values.tobytes()
            expected = sys.modules["minigan.data.mnist"].FILES[f"{split}-{kind}-ubyte"]
            assert (len(content), hashlib.sha256(content).hexdigest()) == expected

    def test_known_facts(self):
        train = data.mnist(mirrors=[])
        assert len(train) == 60_000
        np.testing.assert_array_equal(
            np.bincount(train.labels), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        )
        assert train.mean == pytest.approx(0.1307, abs=1e-4)
        assert train.std == pytest.approx(0.3081, abs=1e-4)
        assert train.sample(128, seed=0).shape == (128, 1, 28, 28)
