"""The dense GAN for MNIST in wide use, in PyTorch: python -m benchmarks.torch_mnist IMAGES.npy OUT.npy SECONDS N.

G 100-128-256-512-1024-784 with batch normalisation, LeakyReLU and tanh, D 784-512-256-1 with LeakyReLU; Adam 2e-4
(.5, .999), batches of 64, and samples drawn as it draws them, normalised by their own batch. Its clock starts once
PyTorch is imported and the data is in memory.
"""

import sys
import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn

Z, BATCH = 100, 64


def networks():
    """Return (G, D)."""
    widths, layers = (Z, 128, 256, 512, 1024), []
    for a, b in pairwise(widths):
        norm = [nn.BatchNorm1d(b, 0.8)] if layers else []  # not the first
        layers += [nn.Linear(a, b), *norm, nn.LeakyReLU(0.2)]
    generator = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh())
    leaky = nn.LeakyReLU(0.2)
    discriminator = nn.Sequential(nn.Linear(784, 512), leaky, nn.Linear(512, 256), leaky, nn.Linear(256, 1))
    return generator, discriminator


def train(images, limit, seed=0):
    """Train on images (N, 1, 28, 28) in [0, 1] for `limit` seconds; return (G, steps)."""
    torch.manual_seed(seed)
    data = torch.from_numpy(2 * images.reshape(-1, 784) - 1)
    G, D = networks()
    g_opt, d_opt = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in (G, D))
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < limit:
        real = data[torch.randint(len(data), (BATCH,))]
        fake = G(torch.randn(BATCH, Z))
        g_opt.zero_grad(set_to_none=True)
        loss(D(fake), ones).backward(inputs=list(G.parameters()))
        g_opt.step()
        d_opt.zero_grad(set_to_none=True)
        ((loss(D(real), ones) + loss(D(fake.detach()), zeros)) / 2).backward()
        d_opt.step()
        step += 1
    return G, step


def main(images, out, limit, n):
    """Train, and write n samples (n, 1, 28, 28) in [0, 1]."""
    G, step = train(np.load(images, allow_pickle=False), float(limit))
    with torch.no_grad():
        samples = torch.cat([G(torch.randn(BATCH, Z)) for _ in range(0, int(n), BATCH)])[: int(n)]
    np.save(out, ((samples + 1) / 2).reshape(-1, 1, 28, 28).numpy())
    print(f"torch: {step:,} steps of batch {BATCH}")


if __name__ == "__main__":
    main(*sys.argv[1:])
