"""Layers: functions with parameters, with PyTorch's names, shapes and layouts."""

from minigan.nn import init
from minigan.nn.attention import SelfAttention
from minigan.nn.convolution import Conv2d, ConvTranspose2d
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
from minigan.nn.normalisation import BatchNorm1d, BatchNorm2d, Dropout, LayerNorm, frozen_statistics
from minigan.nn.recurrent import GRU, LSTM, RNN
from minigan.nn.spectral import spectral_norm

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "FourierFeatures",
    "LayerNorm",
    "LeakyReLU",
    "Module",
    "Parameter",
    "ReLU",
    "Reshape",
    "SelfAttention",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "frozen_statistics",
    "init",
    "spectral_norm",
]
