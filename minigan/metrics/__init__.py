"""Distances between samples and data, each with its definition and source."""

from minigan.metrics.mixtures import MixtureQuality, mixture_quality
from minigan.metrics.wasserstein import wasserstein1, wasserstein1_over_floor

__all__ = ["MixtureQuality", "mixture_quality", "wasserstein1", "wasserstein1_over_floor"]
