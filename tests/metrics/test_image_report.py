"""All measures of images together: good, noisy and one-sided samples, the numbers for people, TSTR."""

import math

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import (
    class_histogram_kl,
    classifier_score,
    density_coverage,
    evaluate_images,
    frechet_distance,
    image_classifier,
    image_report,
    kid,
    precision_recall,
    tstr_images,
)
from minigan.metrics.classifier import Settings

QUICK = Settings(steps=200, batch_size=32, channels=(8, 16), features=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(folder):
    return data.glyphs(800, cache=folder)


@pytest.fixture(scope="module")
def new(folder):
    return data.glyphs(300, seed=1, cache=folder)


@pytest.fixture(scope="module")
def classifier(digits, folder):
    return image_classifier(digits, settings=QUICK, cache=folder)


def test_report_is_made_of_the_measures(digits, new, classifier):
    report = image_report(new[:], digits, classifier=classifier, seed=3)
    rows = np.random.default_rng(3).permutation(800)
    (fake, classes), (real, real_classes), (more, _) = (
        classifier.inspect(x) for x in (new[:], digits[np.sort(rows[:300])], digits[np.sort(rows[300:600])])
    )
    found = classes.argmax(axis=1)
    assert report == {
        "n": 300,
        "fid": pytest.approx(frechet_distance(fake, real)),
        "fid_real": pytest.approx(frechet_distance(more, real)),
        "kid": pytest.approx(kid(fake, real)),
        **precision_recall(fake, real)._asdict(),
        **density_coverage(fake, real)._asdict(),
        "classifier_score": pytest.approx(classifier_score(classes)),
        "classifier_score_real": pytest.approx(classifier_score(real_classes)),
        "class_histogram": (np.bincount(found, minlength=10) / 300).tolist(),
        "kl": pytest.approx(class_histogram_kl(found, 10)),
        "classifier": classifier.key,
        "classifier_accuracy": classifier.accuracy,
    }


def test_worse_samples_have_worse_numbers(digits, new, classifier):
    def report(x):
        return image_report(x, digits, classifier=classifier)

    good = report(new[:])
    noise = report(np.random.default_rng(0).random(new[:].shape))
    one_class = report(np.tile(new[::10], (10, 1, 1, 1)))
    assert good["fid"] < 5 * good["fid_real"]
    for other in (noise, one_class):
        assert other["fid"] > 5 * good["fid"]
        assert other["kid"] > 5 * abs(good["kid"])
        assert other["coverage"] < good["coverage"] / 2
    assert noise["density"] < good["density"] / 2  # not precision: one outlier's ball can hold all the noise
    assert good["precision"] > 0.7
    assert one_class["kl"] > 1
    assert good["kl"] < 0.1
    assert good["classifier_score"] > 2 * one_class["classifier_score"]


def test_as_many_real_images_as_samples_and_no_more_than_asked_for(digits, new, classifier):
    assert image_report(new[:], digits, n=40, classifier=classifier)["n"] == 40
    assert image_report(new[:50], digits, classifier=classifier)["n"] == 50
    few = data.ImageDataset(digits.array[:70, 0], "few", digits.labels[:70])
    assert image_report(new[:], few, classifier=classifier)["n"] == 70
    assert image_report(new[:], few, classifier=classifier)["fid_real"] is None  # no second set of 70


def test_numbers_for_people(digits, new, classifier):
    report = image_report(new[:], digits, classifier=classifier)
    numbers = evaluate_images(new[:], digits, classifier=classifier, progress=False)
    assert numbers["FID, 300 images (own classifier)"] == report["fid"]
    assert numbers["classes of 10"] == 10
    assert all(f"{value:.4g}" for value in numbers.values())
    assert "FID between two real sets (floor)" in numbers
    several = evaluate_images(new[:], digits, n=500, classifier=classifier, progress=False)
    assert several == numbers


def test_classifier_comes_from_the_cache_by_itself(digits, new, monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *args, **kwargs: tmp_path)
    monkeypatch.setattr("minigan.metrics.classifier.Settings", lambda: QUICK)
    first = image_report(new[:40], digits)
    assert first["classifier"]
    monkeypatch.setattr("minigan.metrics.classifier.train_classifier", None)
    assert image_report(new[:40], digits) == first


@pytest.mark.parametrize("shape", [(9, 28, 28), (9, 1, 28, 27), (5, 1, 28, 28), (9, 784)])
def test_other_shapes_are_refused_before_anything_is_trained(digits, shape):
    with pytest.raises(ShapeError, match=r"expected \(N, 1, 28, 28\) with N of 6 or more"):
        image_report(np.zeros(shape), digits)


def test_samples_and_data_that_cannot_be_measured_are_refused(digits, classifier):
    with pytest.raises(DataError, match="nan or inf"):
        image_report(np.full((9, 1, 28, 28), np.nan), digits, classifier=classifier)
    with pytest.raises(ConfigError, match="has no labels"):
        image_report(np.zeros((9, 1, 28, 28)), data.ImageDataset(digits.array[:, 0], "plain"))


def test_tstr_of_good_and_of_wrong_labels(digits, new):
    good = tstr_images(new[:], new.labels, digits, settings=QUICK)
    assert good.synthetic > 0.6
    assert good.real > good.synthetic - 0.05
    wrong = tstr_images(new[:], (new.labels + 1) % 10, digits, settings=QUICK)
    assert wrong.synthetic < 0.2
    assert wrong.real == good.real
    assert not math.isnan(good.real)


def test_tstr_refuses_other_shapes(digits, new):
    with pytest.raises(ShapeError, match="3 labels"):
        tstr_images(new[:9], [0, 1, 2], digits)
    with pytest.raises(ShapeError, match="tstr_images: got"):
        tstr_images(new[:9][..., 1:], np.arange(9), digits)
