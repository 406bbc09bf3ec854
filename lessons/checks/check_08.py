"""Checks of lesson 8: training a GAN in one dimension."""

import numpy as np

import minigan as mg
from minigan.course.judging import Wrong, check, equal, holds


@check(
    "08.1",
    wrong={
        "return np.sort(samples)[np.argsort(np.argsort(z)) * len(samples) // len(z)]": "depends on the others",
        "return np.mean(samples) + np.std(samples) * z": "mean and deviation",
        "return np.quantile(samples, 1 - normal_cdf(z))": "decreasing",
        "return np.quantile(samples, np.clip(z, 0, 1))": "no share of the noise",
        "return np.sort(samples)[np.floor(normal_cdf(z)).astype(int)]": "expected [",
    },
)
def quantile_map(student, rng):
    samples = np.concatenate([rng.normal(-3, 0.5, size=301), rng.normal(4, 1, size=200)])
    rng.shuffle(samples)
    z = np.sort(rng.normal(size=7))
    got = student.quantile_map(z.copy(), samples.copy())
    holds(np.shape(got) == z.shape, f"the result has shape {np.shape(got)}; expected {z.shape}")
    alone = np.array([np.ravel(student.quantile_map(z[i : i + 1].copy(), samples.copy()))[0] for i in range(len(z))])
    holds(np.allclose(got, alone), "the value at one z depends on the others: G sees one z at a time")
    right = np.quantile(samples, student.normal_cdf(z))
    if np.allclose(got, samples.mean() + samples.std() * z):
        raise Wrong("this map has the right mean and deviation, but makes one mode of two")
    if np.allclose(got, np.quantile(samples, 1 - student.normal_cdf(z))):
        raise Wrong("this map is right, but decreasing")
    if np.allclose(got, np.quantile(samples, np.clip(z, 0, 1))):
        raise Wrong("z itself is no share of the noise: which function of z is one?")
    near = bool(np.all(np.abs(np.asarray(got) - right) < 0.2))
    holds(near, f"for z = {z.round(2)} the result is {np.round(got, 3)}; expected {right.round(3)}")


def networks(rng):
    seed = mg.random.default_rng(int(rng.integers(2**31)))
    nn = mg.nn
    G = nn.Sequential(nn.Dense(1, 3, rng=seed), nn.Tanh(), nn.Dense(3, 1, rng=seed))
    D = nn.Sequential(nn.Dense(1, 4, rng=seed), nn.Tanh(), nn.Dense(4, 1, rng=seed))
    return G, D


def values(network):
    return [np.array(p.numpy()) for p in network.parameters()]


def batch(rng, n, mean):
    return mg.tensor((mean + rng.normal(size=(n, 1))).astype(np.float32))


def gradients_of(loss, network):
    """Return the gradients of a loss by a network's parameters, and leave none behind."""
    parameters = list(network.parameters())
    for p in parameters:
        p.grad = None
    loss.backward(inputs=parameters)
    found = [np.array(p.grad.numpy()) for p in parameters]
    for p in parameters:
        p.grad = None
    return found


def close(a, b):
    return all(np.allclose(x, y, rtol=1e-3, atol=1e-6) for x, y in zip(a, b, strict=True))


def moved(before, after, lr):
    """Return the gradient that SGD with this rate has followed."""
    return [(old - new) / lr for old, new in zip(before, after, strict=True)]


def number(loss, what):
    if loss is None:
        raise Wrong(f"{what} returns None; expected the loss")
    holds(np.shape(loss) == (), f"{what} returns shape {np.shape(loss)}; expected a 0-d Tensor, the loss")
    return float(loss.numpy() if hasattr(loss, "numpy") else loss)


@check(
    "08.2",
    wrong={
        """
        loss = mg.losses.non_saturating().discriminator(D(real), D(G(z)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss
        """: "G have a gradient",
        """
        with mg.no_grad():
            fake = G(z)
        loss = mg.losses.non_saturating().discriminator(D(real), D(fake))
        loss.backward()
        optimiser.step()
        return loss
        """: "old gradients",
        """
        with mg.no_grad():
            fake = G(z)
        loss = mg.losses.non_saturating().discriminator(D(fake), D(real))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss
        """: "change places",
        """
        with mg.no_grad():
            fake = G(z)
        loss = mg.losses.non_saturating().discriminator(D(real), D(fake))
        optimiser.zero_grad()
        loss.backward()
        return loss
        """: "D has not moved",
        """
        loss = mg.mean(mg.softplus(-D(real)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss
        """: "never sees a fake",
    },
)
def discriminator_step(student, rng):
    G, D = networks(rng)
    n = int(rng.integers(4, 8))
    real, z = batch(rng, n, 3.0), batch(rng, n, 0.0)
    lr = 0.5

    losses = {
        "right": lambda a, b: mg.mean(mg.softplus(-a)) + mg.mean(mg.softplus(b)),
        "real and fake samples change places": lambda a, b: mg.mean(mg.softplus(a)) + mg.mean(mg.softplus(-b)),
        "D never sees a fake: this is the loss of the real samples only": lambda a, b: mg.mean(mg.softplus(-a)),
    }
    right = float(losses["right"](D(real), D(G(z))).numpy())
    known = {name: gradients_of(loss(D(real), D(G(z))), D) for name, loss in losses.items()}
    for p in D.parameters():  # as a step of G may have left them
        p.grad = mg.tensor(np.ones(p.shape, dtype=np.float32))
    for p in G.parameters():
        p.grad = None
    before_g, before_d = values(G), values(D)
    loss = student.discriminator_step(G, D, mg.optim.SGD(D.parameters(), lr=lr), real, z)
    followed = moved(before_d, values(D), lr)
    holds(close(before_g, values(G)), "the parameters of G have moved: this is D's step")
    holds(
        all(p.grad is None for p in G.parameters()),
        "the parameters of G have a gradient now: to D, fakes are constants",
    )
    holds(any(np.any(step != 0) for step in followed), "D has not moved: where is the optimiser's step?")
    for name, gradient in known.items():
        holds(name == "right" or not close(followed, gradient), name)
    old = [gradient + 1 for gradient in known["right"]]
    holds(not close(followed, old), "D also follows the old gradients that were lying about: set them to zero first")
    holds(not close(followed, [-gradient for gradient in known["right"]]), "D climbs: its step has the wrong sign")
    holds(close(followed, known["right"]), "D has moved, but not against the gradient of L_D")
    equal(number(loss, "discriminator_step"), right, "the loss that is returned", rtol=1e-4)


@check(
    "08.3",
    wrong={
        """
        loss = mg.losses.non_saturating().generator(None, D(G(z)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss
        """: "gradients of D's parameters",
        """
        loss = mg.losses.minimax().generator(None, D(G(z)))
        optimiser.zero_grad()
        loss.backward(inputs=list(G.parameters()))
        optimiser.step()
        return loss
        """: "saturating",
        """
        loss = mg.mean(mg.softplus(D(G(z))))
        optimiser.zero_grad()
        loss.backward(inputs=list(G.parameters()))
        optimiser.step()
        return loss
        """: "lowers",
        """
        loss = -mg.mean(D(G(z)))
        optimiser.zero_grad()
        loss.backward(inputs=list(G.parameters()))
        optimiser.step()
        return loss
        """: "critic",
        """
        loss = mg.losses.non_saturating().generator(None, D(G(z)))
        loss.backward(inputs=list(G.parameters()))
        optimiser.step()
        return loss
        """: "old gradients",
    },
)
def generator_step(student, rng):
    G, D = networks(rng)
    z = batch(rng, int(rng.integers(4, 8)), 0.0)
    lr = 0.5

    losses = {
        "right": lambda b: mg.mean(mg.softplus(-b)),
        "this is the saturating loss, log(1 - D)": lambda b: -mg.mean(mg.softplus(b)),
        "G lowers the logits of its samples: this is D's loss": lambda b: mg.mean(mg.softplus(b)),
        "this is the loss of a critic's generator, -mean D(G(z))": lambda b: -mg.mean(b),
    }
    right = float(losses["right"](D(G(z))).numpy())
    known = {name: gradients_of(loss(D(G(z))), G) for name, loss in losses.items()}
    for p in G.parameters():
        p.grad = mg.tensor(np.ones(p.shape, dtype=np.float32))
    for p in D.parameters():
        p.grad = None
    before_g, before_d = values(G), values(D)
    loss = student.generator_step(G, D, mg.optim.SGD(G.parameters(), lr=lr), z)
    followed = moved(before_g, values(G), lr)
    holds(close(before_d, values(D)), "the parameters of D have moved: this is G's step")
    kept = [p.grad for p in D.parameters() if p.grad is not None]
    holds(not kept, "the gradients of D's parameters are filled in: D's next step would add to them")
    holds(any(np.any(step != 0) for step in followed), "G has not moved: where is the optimiser's step?")
    for name, gradient in known.items():
        holds(name == "right" or not close(followed, gradient), name)
    old = [gradient + 1 for gradient in known["right"]]
    holds(not close(followed, old), "G also follows the old gradients that were lying about: set them to zero first")
    holds(close(followed, known["right"]), "G has moved, but not against the gradient of L_G")
    equal(number(loss, "generator_step"), right, "the loss that is returned", rtol=1e-4)


@check(
    "08.4",
    wrong={
        "return np.mean(np.abs(a - b))": "cheapest",
        "return abs(np.mean(a) - np.mean(b))": "means only",
        "return np.sqrt(np.mean((np.sort(a) - np.sort(b)) ** 2))": "square",
        "return np.sum(np.abs(np.sort(a) - np.sort(b)))": "sum",
        "a.sort()\nb.sort()\nreturn np.mean(np.abs(a - b))": "in place",
    },
)
def wasserstein1(student, rng):
    a, b = rng.normal(size=9), 3 * rng.normal(size=9)
    b += a.mean() + 0.3 - b.mean()  # nearly equal means: some samples move up, others down
    kept = a.copy(), b.copy()
    got = student.wasserstein1(a, b)
    holds(np.array_equal(a, kept[0]) and np.array_equal(b, kept[1]), "a or b is sorted in place: work on a copy")
    holds(np.ndim(got) == 0, f"the result has shape {np.shape(got)}; expected a number")
    gaps = np.sort(a) - np.sort(b)
    if got is not None:
        holds(not np.isclose(got, np.mean(np.abs(a - b))), "these moves are not the cheapest: which sample goes where?")
        holds(not np.isclose(got, abs(a.mean() - b.mean())), "this compares the means only; widths count, too")
        holds(not np.isclose(got, np.sqrt(np.mean(gaps**2))), "this is W2, with a square; W1 is a mean of distances")
        holds(not np.isclose(got, np.sum(np.abs(gaps))), "this is the sum; W1 is the mean over samples")
    equal(got, np.mean(np.abs(gaps)), "the distance")
