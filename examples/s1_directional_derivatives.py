"""A GAN by hand, and directional derivatives that foretell what each step does to the losses.

The discriminator's loss has a real and a fake part, L_D = mean -log p(x) + mean -log(1 - p(G(z))), and so has its
gradient. A step moves the parameters w by s = -lr dL/dw. To first order the loss changes by the directional derivative
of L at w in the direction s, which is dL/dw . s = -lr |dL/dw|^2; the curvature makes the rest.

    python examples/s1_directional_derivatives.py
"""

import argparse

import minigan as mg

LR, BATCH = 0.05, 256


def real_part(G, D, x, z):
    return mg.softplus(-D(x)).mean()  # -log sigmoid(a) = softplus(-a)


def fake_part(G, D, x, z):
    return mg.softplus(D(G(z))).mean()  # -log(1 - sigmoid(a)) = softplus(a)


def d_loss(*game):
    return real_part(*game) + fake_part(*game)


def g_loss(G, D, x, z):
    return mg.softplus(-D(G(z))).mean()  # -log p: the non-saturating loss


def descend(loss, parameters, game):
    """Take one step; return the change of the loss that the directional derivative foretells, and the true one."""
    for p in parameters:
        p.grad = None
    before = loss(*game)
    before.backward(inputs=parameters)
    direction = [-LR * p.grad for p in parameters]
    foretold = sum((p.grad * s).sum().item() for p, s in zip(parameters, direction, strict=True))
    for p, s in zip(parameters, direction, strict=True):
        p.assign(p.detach() + s)
    return foretold, loss(*game).item() - before.item()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="training steps (default: 1000)")
    steps = parser.parse_args(argv).steps
    rng = mg.random.default_rng(0)
    G = mg.nn.Sequential(mg.nn.Dense(1, 16, rng=rng), mg.nn.Tanh(), mg.nn.Dense(16, 1, rng=rng))
    D = mg.nn.Sequential(mg.nn.Dense(1, 16, rng=rng), mg.nn.Tanh(), mg.nn.Dense(16, 1, rng=rng))
    data = mg.data.gaussian()

    print("The parts of D's loss; then the change of D's loss and of G's in one step, foretold and true")
    print(f"{'step':>5} {'real':>8} {'fake':>8} {'D foretold':>12} {'D true':>10} {'G foretold':>12} {'G true':>10}")
    for step in range(steps):
        game = G, D, mg.tensor(data.sample(BATCH, rng.numpy)) - 4.0, rng.normal((BATCH, 1))
        parts = real_part(*game).item(), fake_part(*game).item()
        d_foretold, d_true = descend(d_loss, D.parameters(), game)
        g_foretold, g_true = descend(g_loss, G.parameters(), game)
        if step % max(1, steps // 10) == 0:
            print(
                f"{step:5} {parts[0]:8.4f} {parts[1]:8.4f} {d_foretold:12.2e} {d_true:10.2e}"
                f" {g_foretold:12.2e} {g_true:10.2e}"
            )
    made = G(rng.normal((10_000, 1))).numpy() + 4.0
    print(f"samples: mean {made.mean():.2f}, standard deviation {made.std():.2f}; the data: 4, 0.5")


if __name__ == "__main__":
    main()
