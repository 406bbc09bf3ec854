"""The noise that a generator starts from."""

from dataclasses import dataclass

from minigan import nn, ops
from minigan.errors import ConfigError


@dataclass(frozen=True)
class Latent:
    """z = [standard normals, random signs].

    Signs give a generator discrete choices: one smooth map of a Gaussian cannot reach separate modes without drawing
    a bridge between them.
    """

    normals: int
    signs: int = 0

    @property
    def size(self):
        return self.normals + self.signs

    def draw(self, rng, n):
        """Draw (n, normals + signs) from an `mg.random.Generator`."""
        if not self.signs:
            return rng.normal((n, self.normals))
        if not self.normals:
            return rng.signs((n, self.signs))
        return ops.concatenate([rng.normal((n, self.normals)), rng.signs((n, self.signs))], axis=1)


def latent_for(generator, config):
    """Return the Latent that the options ask for, or, if they ask for none, what the first Dense layer takes."""
    normals, signs = config.latent_normals, config.latent_signs
    if normals or signs:
        return Latent(normals + signs) if config.latent == "gaussian" else Latent(normals, signs)
    for module in generator.modules() if isinstance(generator, nn.Module) else ():
        if isinstance(module, nn.Dense):
            return Latent(module.in_features)
    raise ConfigError("GAN: the generator has no Dense layer that tells the size of its noise; pass latent_normals=")
