"""The classifier of the image measures: it learns, is kept once, and never half."""

import dataclasses
import os

import numpy as np
import pytest
import safetensors.numpy

from minigan import data
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import classifier as module
from minigan.metrics import image_classifier, train_classifier

QUICK = module.Settings(steps=3, batch_size=8, channels=(2, 3), features=6)
REAL = os.environ.get("MINIGAN_DATA")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep tests away from the user's cache; return the folder that they see instead."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *args, **kwargs: tmp_path / "cache")
    return tmp_path / "cache"


def shapes(n=200, seed=0, name="shapes"):
    """Images of 9 x 10 with a horizontal (class 0) or a vertical (class 1) bar anywhere."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (n, 9, 10), dtype=np.uint8)
    labels = rng.integers(0, 2, n).astype(np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        where = rng.integers(2, 7)
        image[(where,) if label == 0 else (slice(None), where)] = 255
    return data.ImageDataset(pixels, name, labels)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


class TestTraining:
    def test_it_learns_and_tells_its_accuracy_on_new_images(self):
        trained = train_classifier(
            shapes(), settings=dataclasses.replace(QUICK, steps=300, batch_size=32, channels=(4, 8), shift=1)
        )
        assert trained.accuracy > 0.9
        new = shapes(300, seed=1)
        assert module.accuracy(trained, new[:], new.labels) > 0.9

    def test_same_settings_give_the_same_weights(self):
        assert same(train_classifier(shapes(), settings=QUICK), train_classifier(shapes(), settings=QUICK))
        other = dataclasses.replace(QUICK, seed=1)
        assert not same(train_classifier(shapes(), settings=QUICK), train_classifier(shapes(), settings=other))

    def test_held_out_images_are_not_learnt(self, monkeypatch):
        dataset, seen = shapes(40), set()
        choose = module._shifted
        monkeypatch.setattr(
            module,
            "_shifted",
            lambda images, *rest: (seen.update(i.tobytes() for i in images), choose(images, *rest))[1],
        )
        asked = []
        monkeypatch.setattr(module, "accuracy", lambda c, images, labels: asked.extend(images) or 0.5)
        train_classifier(dataset, settings=dataclasses.replace(QUICK, steps=60, held_out=0.25))
        assert len(asked) == 10
        assert len(seen) == 30
        assert not {image.tobytes() for image in asked} & seen

    def test_shift_moves_a_whole_batch_and_fills_with_zeros(self):
        x = np.arange(1.0, 13.0).reshape(1, 1, 3, 4)
        found = {module._shifted(x, 1, np.random.default_rng(seed)).tobytes() for seed in range(100)}
        expected = set()
        for down in (0, 1, 2):
            for right in (0, 1, 2):
                around = np.zeros((1, 1, 5, 6))
                around[:, :, 1:4, 1:5] = x
                expected.add(around[:, :, down : down + 3, right : right + 4].tobytes())
        assert found == expected
        np.testing.assert_array_equal(module._shifted(x, 0, np.random.default_rng(0)), x)


class TestWhatItSees:
    def test_features_and_probabilities(self):
        dataset = shapes(30)
        trained = train_classifier(dataset, settings=QUICK)
        features, probabilities = trained.inspect(dataset[:])
        assert features.shape == (30, 6)
        assert features.min() >= 0
        logits = features.astype(float) @ trained.head.weight.numpy().T + trained.head.bias.numpy()
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-5)

    def test_parts_do_not_matter(self, monkeypatch):
        dataset = shapes(30)
        trained = train_classifier(dataset, settings=QUICK)
        whole = trained.inspect(dataset[:])
        monkeypatch.setattr(module, "PART", 7)
        for a, b in zip(trained.inspect(dataset[:]), whole, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("shape", [(5, 9, 10), (5, 1, 9, 9), (0, 1, 9, 10), (5, 90)])
    def test_images_of_another_size_are_refused(self, shape):
        trained = train_classifier(shapes(30), settings=QUICK)
        with pytest.raises(ShapeError, match="got images of shape"):
            trained.inspect(np.zeros(shape))


class TestCache:
    def test_it_is_trained_once(self, cache, monkeypatch):
        first = image_classifier(shapes(), settings=QUICK)
        assert files(cache) == [f"shapes-{first.key}.safetensors"]
        monkeypatch.setattr(module, "train_classifier", None)
        again = image_classifier(shapes(), settings=QUICK)
        assert same(first, again)
        assert (again.accuracy, again.key) == (first.accuracy, first.key)
        x = shapes(9)[:]
        np.testing.assert_array_equal(again.inspect(x)[0], first.inspect(x)[0])

    def test_file_tells_its_settings(self, cache):
        kept = image_classifier(shapes(), settings=QUICK)
        with safetensors.safe_open(cache / "classifiers" / files(cache)[0], framework="numpy") as file:
            metadata = file.metadata()["minigan"]
        assert '"steps": 3' in metadata
        assert kept.key in metadata

    def test_other_settings_images_or_labels_are_another_classifier(self, cache):
        keys = {image_classifier(shapes(), settings=QUICK).key}
        keys.add(image_classifier(shapes(), settings=dataclasses.replace(QUICK, lr=1e-3)).key)
        keys.add(image_classifier(shapes(seed=1), settings=QUICK).key)
        turned = shapes()
        keys.add(
            image_classifier(data.ImageDataset(turned.array[:, 0], "shapes", 1 - turned.labels), settings=QUICK).key
        )
        assert len(keys) == len(files(cache)) == 4

    @pytest.mark.parametrize("damage", ["cut", "empty", "text", "weight", "folder"])
    def test_damaged_file_is_made_again(self, cache, damage):
        first = image_classifier(shapes(), settings=QUICK)
        file = cache / "classifiers" / files(cache)[0]
        content = file.read_bytes()
        if damage == "folder":
            file.unlink()
            file.mkdir()
        else:
            flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
            file.write_bytes({"cut": content[:-4], "empty": b"", "text": b"hello", "weight": flipped}[damage])
        again = image_classifier(shapes(), settings=QUICK)
        assert same(first, again)
        if damage != "folder":
            assert file.read_bytes() == content

    def test_interrupt_leaves_nothing(self, cache, monkeypatch):
        calls = []

        def stop(*args):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return args[0]

        monkeypatch.setattr(module, "_shifted", stop)
        with pytest.raises(KeyboardInterrupt):
            image_classifier(shapes(), settings=QUICK)
        assert not cache.exists() or files(cache) == []

    def test_folder_that_cannot_be_written_to_costs_the_cache_only(self, tmp_path):
        (tmp_path / "file").write_text("")
        assert image_classifier(shapes(), settings=QUICK, cache=tmp_path / "file").key

    def test_folder_of_choice(self, tmp_path, cache):
        image_classifier(shapes(), settings=QUICK, cache=tmp_path / "mine")
        assert len(files(tmp_path / "mine")) == 1
        assert not cache.exists()


class TestRefusals:
    def test_labels_are_needed(self):
        plain = shapes(9)
        with pytest.raises(ConfigError, match="shapes has no labels"):
            image_classifier(data.ImageDataset(plain.array[:, 0], "shapes"))
        with pytest.raises(ConfigError, match="ring has no labels"):
            image_classifier(data.ring())
        for labels in (np.zeros(9, int), np.arange(8), np.arange(9) - 1, np.arange(9.0)):
            with pytest.raises(ConfigError, match="must be integers 0, 1"):
                train_classifier(data.ArrayDataset(plain[:].copy(), "a", labels))

    def test_images_are_needed(self):
        with pytest.raises(ShapeError, match=r"expected \(C, H, W\)"):
            image_classifier(data.ArrayDataset(np.zeros((4, 7)), "rows", np.array([0, 1, 0, 1])))
        with pytest.raises(DataError, match="nan or inf"):
            image_classifier(data.ArrayDataset(np.full((4, 1, 8, 8), np.nan), "x", np.array([0, 1, 0, 1])))


class TestCommand:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(data, "glyphs", lambda: shapes(name="glyphs"))
        monkeypatch.setattr(module, "Settings", lambda: QUICK)

    def test_it_trains_and_says_what(self, cache, capsys):
        assert module.main(["glyphs"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("glyphs: classifier ")
        assert "% on images held out" in out
        assert "classifier of glyphs" in err  # the bar
        assert len(files(cache)) == 1

    def test_wrong_input(self, tmp_path, capsys):
        assert module.main(["glyphs", "--data", str(tmp_path)]) == 2
        assert module.main(["mnist", "--data", str(tmp_path)]) == 2
        assert capsys.readouterr().err.count("minigan: ") == 2
        with pytest.raises(SystemExit):
            module.main(["cifar"])

    def test_interrupt(self, monkeypatch, capsys):
        def interrupt(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "train_classifier", interrupt)
        assert module.main(["glyphs"]) == 130
        assert "nothing was kept" in capsys.readouterr().err


@pytest.mark.deep
@pytest.mark.skipif(not REAL, reason="MINIGAN_DATA does not name a folder with the real MNIST in its folder mnist")
def test_accuracy_on_mnist():
    trained = train_classifier(data.mnist(mirrors=[]))
    test = data.mnist(train=False, mirrors=[])
    assert module.accuracy(trained, test[:], test.labels) > 0.985
    assert trained.accuracy == pytest.approx(module.accuracy(trained, test[:], test.labels), abs=0.01)
