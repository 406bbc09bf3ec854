"""The GAN step of `gan_step.py` in PyTorch, eager or with compiled networks. For comparison only: no dependency.

It goes the fastest way there is: fused Adam, gradients set to None, no gradient of the discriminator's weights in the
generator's step, channels last in memory for convolutions; one thread or one per core, whichever a trial finds faster.
"""

import torch
from torch.nn.functional import softplus

from benchmarks.contest import cores
from benchmarks.tables import seconds
from benchmarks.torch_gaussian import squared_gradient
from benchmarks.workloads import BETAS, RATE, Convolutional, networks


def torch_step(work, *, compiled):
    """Return a function that does one step and returns (d_loss, g_loss)."""
    torch.manual_seed(0)
    G, D = networks(torch.nn, torch.nn.Linear, work)
    real = torch.rand(work.real_shape)
    if isinstance(work, Convolutional):
        G, D, real = (x.to(memory_format=torch.channels_last) for x in (G, D, real))
    if compiled:
        G, D = torch.compile(G), torch.compile(D)
    g_params, d_params = list(G.parameters()), list(D.parameters())
    g_opt, d_opt = (torch.optim.Adam(params, RATE, BETAS, fused=True) for params in (g_params, d_params))
    real.requires_grad = work.r1 > 0

    def losses(real_logits, fake_logits):
        if work.relativistic:
            return softplus(fake_logits - real_logits).mean()
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def step():
        with torch.no_grad():
            fake = G(torch.randn(work.noise_shape))
        fake.requires_grad = work.r2 > 0
        real_logits, fake_logits = D(real), D(fake)
        d_loss = penalised = losses(real_logits, fake_logits)
        for gamma, logits, x in ((work.r1, real_logits, real), (work.r2, fake_logits, fake)):
            if gamma:
                penalised = penalised + 0.5 * gamma * squared_gradient(logits, x)
        d_opt.zero_grad(set_to_none=True)
        penalised.backward(inputs=d_params)
        d_opt.step()
        logits = D(G(torch.randn(work.noise_shape)))
        if work.relativistic:
            with torch.no_grad():
                rivals = D(real)
            g_loss = softplus(rivals - logits).mean()
        else:
            g_loss = softplus(-logits).mean()
        g_opt.zero_grad(set_to_none=True)
        g_loss.backward(inputs=g_params)
        g_opt.step()
        return d_loss.item(), g_loss.item()

    torch.set_num_threads(min({1, cores()}, key=lambda threads: _trial(step, threads)))
    return step


def _trial(step, threads):
    """Return the seconds of a step with so many threads, the fastest of some."""
    torch.set_num_threads(threads)
    step()  # compiles
    return min(seconds(step) for _ in range(5))
