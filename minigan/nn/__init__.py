"""Layers: functions with parameters, with PyTorch's names, shapes and layouts."""

from minigan.nn import init
from minigan.nn.layers import (
    Dense,
    Flatten,
    FourierFeatures,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from minigan.nn.module import Buffer, Module, Parameter

__all__ = [
    "Buffer",
    "Dense",
    "Flatten",
    "FourierFeatures",
    "LeakyReLU",
    "Module",
    "Parameter",
    "ReLU",
    "Reshape",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "init",
]
