"""Data sets: toy distributions, sine waves, drawn digits, MNIST, and your own arrays."""

from minigan.data.dataset import ArrayDataset, Dataset, ImageDataset, from_array
from minigan.data.glyphs import glyphs
from minigan.data.mnist import mnist
from minigan.data.sines import Sines, sines
from minigan.data.toy import Mixture, Moons, gaussian, grid, mixture1d, moons, ring

__all__ = [
    "ArrayDataset",
    "Dataset",
    "ImageDataset",
    "Mixture",
    "Moons",
    "Sines",
    "from_array",
    "gaussian",
    "glyphs",
    "grid",
    "mixture1d",
    "mnist",
    "moons",
    "ring",
    "sines",
]
