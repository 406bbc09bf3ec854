"""The GAN step of `gan_step.py` in minigan, compiled or eager."""

from threadpoolctl import threadpool_limits

import minigan as mg
from benchmarks.workloads import BETAS, RATE, Recurrent, networks


def minigan_step(work, *, compiled):
    """Return a function that does one step and returns (d_loss, g_loss).

    Its ``parts`` are what else can be measured: a compiled step's matrix products, and nothing but those.
    """
    mg.random.seed(0)
    both = networks(mg.nn, mg.nn.Dense, work)
    real = mg.random.default_rng(0).uniform(work.real_shape)
    # The trainer's samples have the batch first, so sequences with time first are trained by a step of one's own.
    make = _own if isinstance(work, Recurrent) else _trainers
    step, compiled_step = make(work, *both, compiled)

    def once():
        return [loss.item() for loss in step(real)[:2]]

    once.parts = {"products": compiled_step.products} if compiled else {}
    return once


def _trainers(work, G, D, compiled):
    """Return (the step of `minigan train`, what it is compiled to)."""
    gan = mg.training.GAN(
        *(G, D),
        loss="relativistic" if work.relativistic else "non_saturating",
        batch_size=work.batch,
        lr_g=RATE,
        lr_d=RATE,
        r1=work.r1,
        r2=work.r2,
        beta1=BETAS[0],
        beta2=BETAS[1],
        compile=compiled,
    )
    gan._few_threads(work.batch)  # as `fit` does; it lasts as long as this process
    return gan.train_step, gan._compiled_step


def _own(work, G, D, compiled):
    """Return (a step as users write it, the same)."""
    g_opt, d_opt = (mg.optim.Adam(network.parameters(), RATE, BETAS) for network in (G, D))
    rng, shape = mg.random.default_rng(1), work.noise_shape
    threadpool_limits(1, user_api="blas")  # as `fit` does where products are small

    def step(real):
        with mg.no_grad():
            fake = G(rng.normal(shape))
        d_loss = mg.softplus(-D(real)).mean() + mg.softplus(D(fake)).mean()
        d_opt.zero_grad()
        d_loss.backward(inputs=d_opt.params)
        d_opt.step()
        g_loss = mg.softplus(-D(G(rng.normal(shape)))).mean()
        g_opt.zero_grad()
        g_loss.backward(inputs=g_opt.params)
        g_opt.step()
        return d_loss, g_loss

    step = mg.compile(step) if compiled else step
    return step, step
