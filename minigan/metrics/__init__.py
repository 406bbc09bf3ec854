"""Distances between samples and data, each with its definition, unit and source.

Points on the line: `wasserstein1`. Mixtures in the plane: `mixture_quality`. Anything: `sliced_wasserstein`, `mmd2`,
`precision_recall`, `density_coverage`, `memorisation`. Features of images: `frechet_distance`, `kid`, or all at once
`image_report`. Sequences: `discriminative_score`, `tstr_sequences`, `autocorrelation_difference`.

Generated samples come first, real ones second. Names are imported when first used: some need networks to be trained.
"""

from importlib import import_module as _import_module

_HOMES = {
    "wasserstein": "wasserstein1 wasserstein1_over_floor sliced_wasserstein",
    "mixtures": "MixtureQuality mixture_quality",
    "kernels": "mmd2 median_bandwidth kid",
    "frechet": "frechet_distance frechet_of_gaussians",
    "neighbours": "PrecisionRecall precision_recall DensityCoverage density_coverage Memorisation memorisation",
    "classes": "classifier_score class_histogram_kl",
    "sequences": "autocorrelation autocorrelation_difference",
    "judges": "NextStepError discriminative_score tstr_sequences",
    "classifier": "ImageClassifier image_classifier train_classifier",
    "images": "LabelledAccuracy image_report evaluate_images tstr_images",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'minigan.metrics' has no attribute {name!r}")
    value = getattr(_import_module(f"minigan.metrics.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
