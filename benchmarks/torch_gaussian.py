"""What `minigan train gaussian` does, written in PyTorch: python -m benchmarks.torch_gaussian OPTIONS FOLDER.

OPTIONS are the preset's, as JSON. The relativistic loss, R1 and R2 that fall, warm-up and cosine, an averaged
generator; a line of metrics every few steps, samples and checkpoints as often as there.
"""

import copy
import json
import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import softplus

MEAN, SD, WIDTH = 4.0, 0.5, 32


def network(activation, inputs=1):
    """Return a perceptron with two hidden layers, with the preset's first weights."""
    layers = [nn.Linear(inputs, WIDTH), activation, nn.Linear(WIDTH, WIDTH), activation, nn.Linear(WIDTH, 1)]
    for layer in layers[::2]:
        nn.init.normal_(layer.weight, 0.0, math.sqrt((1 if layer is layers[-1] else 2) / layer.in_features))
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def learning_rate(step, steps, warmup, cosine_from):
    """Return the factor of the rates: a rise, a plateau, a cosine to 0."""
    rise, start = min(1.0, (step + 1) / warmup), cosine_from * steps
    return rise if step < start else rise * 0.5 * (1 + math.cos(math.pi * (step - start) / (steps - start)))


def squared_gradient(logits, x):
    """Return mean |dD(x)/dx|^2."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.square().sum() / len(logits)


def train(options, out):
    """Train, and write metrics, samples and checkpoints into `out`; return the last record."""
    torch.set_num_threads(1)  # a second one gains nothing for networks this small
    torch.manual_seed(options["seed"])
    steps, batch, z_size = options["steps"], options["batch_size"], options["latent_normals"]
    G, D = network(nn.ReLU(), z_size), network(nn.LeakyReLU(0.2))
    average = copy.deepcopy(G)
    g_params, d_params, kept = (list(network.parameters()) for network in (G, D, average))
    betas = options["beta1"], options["beta2"]
    g_opt = torch.optim.Adam(g_params, options["lr_g"], betas, fused=True)
    d_opt = torch.optim.Adam(d_params, options["lr_d"], betas, fused=True)
    shown = torch.randn(2000, z_size)
    out.mkdir(parents=True)
    checkpoint_every, snapshot_every = (math.ceil(steps / options[name]) for name in ("checkpoints", "snapshots"))
    with open(out / "metrics.jsonl", "w") as metrics:
        for step in range(steps):
            rate = learning_rate(step, steps, options["warmup"], options["cosine_from"])
            g_opt.param_groups[0]["lr"], d_opt.param_groups[0]["lr"] = rate * options["lr_g"], rate * options["lr_d"]
            factor = options["penalty_end"] ** min(1.0, step / (options["decay_until"] * steps))

            data = MEAN + SD * torch.randn(batch, 1)
            real = ((data - MEAN) / SD).requires_grad_()
            with torch.no_grad():
                fake = G(torch.randn(batch, z_size))
            fake.requires_grad_()
            real_logits, fake_logits = D(real), D(fake)
            d_loss = softplus(fake_logits - real_logits).mean()
            r1, r2 = squared_gradient(real_logits, real), squared_gradient(fake_logits, fake)
            d_opt.zero_grad(set_to_none=True)
            (d_loss + 0.5 * factor * (options["r1"] * r1 + options["r2"] * r2)).backward(inputs=d_params)
            d_opt.step()

            with torch.no_grad():
                rivals = D(real)
            g_loss = softplus(rivals - D(G(torch.randn(batch, z_size)))).mean()
            g_opt.zero_grad(set_to_none=True)
            g_loss.backward(inputs=g_params)
            g_opt.step()
            with torch.no_grad():
                torch._foreach_lerp_(kept, g_params, 1 - options["ema"])

            done = step + 1
            if done % options["log_every"] == 0 or done == steps:
                beliefs = {"d_real": real_logits.sigmoid().mean().item(), "d_fake": fake_logits.sigmoid().mean().item()}
                record = {"step": done, "d_loss": d_loss.item(), "g_loss": g_loss.item(), **beliefs}
                metrics.write(json.dumps(record) + "\n")
            if done % snapshot_every == 0 or done == steps:
                with torch.no_grad():
                    torch.save(average(shown) * SD + MEAN, out / f"samples-{done}.pt")
            if done % checkpoint_every == 0 or done == steps:
                parts = {"G": G, "D": D, "average": average, "g_opt": g_opt, "d_opt": d_opt}
                torch.save({name: part.state_dict() for name, part in parts.items()}, out / "checkpoint.pt")
    return record


if __name__ == "__main__":
    train(json.loads(sys.argv[1]), Path(sys.argv[2]))
