"""A dense GAN for one number in [0, 1], and what four ways of training it come to.

The networks of many a first tutorial: G 100-20(ReLU)-1(sigmoid), D 1-20(ReLU)-1, batches of 128, 100 epochs. D ends in
a logit, not in a sigmoid: the losses take its logarithm without ever rounding to log 0.

    python examples/s2_dense_gan.py
"""

import argparse

import numpy as np

import minigan as mg

BATCH, EPOCH = 128, 100  # samples a step, steps an epoch


def networks(seed=0):
    rng = mg.random.default_rng(seed)
    G = mg.nn.Sequential(mg.nn.Dense(100, 20, rng=rng), mg.nn.ReLU(), mg.nn.Dense(20, 1, rng=rng), mg.nn.Sigmoid())
    D = mg.nn.Sequential(mg.nn.Dense(1, 20, rng=rng), mg.nn.ReLU(), mg.nn.Dense(20, 1, rng=rng))
    return G, D


def with_adam(data, loss, steps):
    """Return samples of a GAN trained with Adam(2e-4, beta1 = 0.5), one optimiser for each player."""
    gan = mg.training.GAN(*networks(), loss=loss, lr_g=2e-4, lr_d=2e-4, beta1=0.5, batch_size=BATCH)
    return gan.fit(data, steps=steps, progress=False).sample(10_000)


def with_sgd(data, steps, limit, lr=0.05):
    """Return samples of the zero-sum game played with plain SGD; D's weights are cut to [-limit, limit] unless 0.

    Cutting bounds D's slope, and so the gradient that G gets. It was invented for critics, against exploding values:
    it does not help where the gradient vanishes.
    """
    G, D = networks()
    loss, rng = mg.losses.get("minimax"), mg.random.default_rng(1)
    g_sgd, d_sgd = mg.optim.SGD(G.parameters(), lr), mg.optim.SGD(D.parameters(), lr)

    @mg.compile
    def step(real):
        fake = G(rng.normal((BATCH, 100))).detach()
        d_sgd.zero_grad()
        loss.discriminator(D(real), D(fake)).backward()
        d_sgd.step()
        if limit:
            mg.optim.clip_weights(D.parameters(), limit)
        g_sgd.zero_grad()
        loss.generator(None, D(G(rng.normal((BATCH, 100))))).backward(inputs=G.parameters())
        g_sgd.step()

    for _ in range(steps):
        step(mg.tensor(data.sample(BATCH, rng.numpy)))
    return G(rng.normal((10_000, 100))).numpy()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100, help=f"of {EPOCH} steps (default: 100)")
    steps = EPOCH * parser.parse_args(argv).epochs
    x = np.random.default_rng(0).normal(0.6, 0.1, (20_000, 1)).clip(0, 1).astype(np.float32)
    data, other = mg.data.from_array(x[:10_000]), x[10_000:]
    print(f"{'training':38} {'mean':>6} {'sd':>6} {'W1 to the data':>15}")
    for name, samples in {
        "the data (another draw)": lambda: x[:10_000],
        "Adam, minimax": lambda: with_adam(data, "minimax", steps),
        "Adam, non-saturating": lambda: with_adam(data, "non_saturating", steps),
        "SGD, minimax": lambda: with_sgd(data, steps, limit=0.0),
        "SGD, minimax, weights within 0.1": lambda: with_sgd(data, steps, limit=0.1),
    }.items():
        made = samples()
        w1 = mg.metrics.wasserstein1(made, other)
        print(f"{name:38} {made.mean():6.3f} {made.std():6.3f} {w1:15.4f}", flush=True)


if __name__ == "__main__":
    main()
