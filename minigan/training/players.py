"""The two players and their moves: what one training step consists of."""

from minigan import optim, random
from minigan.engine import no_grad
from minigan.training import remedies
from minigan.training.latent import latent_for


class Players:
    """A generator and a discriminator with their optimisers, and the moves of their game. `GAN` adds the training run.

    The moves are traced and compiled by `mg.compile`: they only see Tensors, never branch on values, and take what
    varies from step to step as 0-d Tensors: `factor` () is what the penalties are multiplied with, `noise` () the
    standard deviation of the instance noise. The options are constants to them.

    Parameters
    ----------
    generator, discriminator : Module
    loss : losses.Loss
    config : Config
    """

    def __init__(self, generator, discriminator, loss, config):
        self.generator, self.discriminator, self.loss, self.config = generator, discriminator, loss, config
        self.latent = latent_for(generator, config)
        if config.spectral_norm:
            remedies.normalise_spectra(discriminator, random.default_rng([config.seed, 3]))
        betas = (config.beta1, config.beta2)
        self.g_optimiser = optim.Adam(generator.parameters(), config.lr_g, betas)
        self.d_optimiser = optim.Adam(discriminator.parameters(), config.lr_d, betas)
        self.average = optim.EMA(generator, config.ema) if config.ema else None
        if self.average is not None:
            self.average.module.eval()  # it is there to be sampled from
        self.rng = random.default_rng(config.seed)

    # -- a step, by who moves -----------------------------------------------------------------------------------
    def _step(self, real, factor, noise):
        """Move the discriminator, then the generator.

        Returns
        -------
        d_loss, g_loss : 0-d Tensors
        real_logits, fake_logits : Tensors, as the discriminator saw them
        """
        d_loss, real_logits, fake_logits = self._move_discriminator(real, factor, noise)
        return d_loss, self._move_generator(real, noise), real_logits, fake_logits

    def _d_only(self, real, factor, noise):
        """Move the discriminator. G's loss is told of the samples that D saw."""
        d_loss, real_logits, fake_logits = self._move_discriminator(real, factor, noise)
        with no_grad():
            g_loss = self.loss.generator(real_logits if self.loss.real_in_generator else None, fake_logits)
        return d_loss, g_loss, real_logits, fake_logits

    def _g_only(self, real, factor, noise):
        """Move the generator. D's loss is told without moving it."""
        with no_grad():
            real_logits = self.discriminator(self.shown(real, noise))
            fake_logits = self.discriminator(self.shown(self.fake(len(real)), noise))
            d_loss = self.loss.discriminator(real_logits, fake_logits)
        return d_loss, self._move_generator(real, noise), real_logits, fake_logits

    # -- the moves ----------------------------------------------------------------------------------------------
    def _move_discriminator(self, real, factor, noise):
        config, loss = self.config, self.loss
        with no_grad():
            real, fake = self.shown(real, noise), self.shown(self.fake(len(real)), noise)
        real.requires_grad, fake.requires_grad = config.r1 > 0, config.r2 > 0
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        d_loss = loss.discriminator(real_logits, fake_logits)
        self.d_optimiser.zero_grad()
        penalty = remedies.penalty(config, factor, self.discriminator, real, real_logits, fake, fake_logits, self.rng)
        (d_loss + penalty).backward(inputs=self.d_optimiser.params)
        self._follow(self.d_optimiser, config.clip_grad_d)
        if config.clip_weights:
            optim.clip_weights(self.d_optimiser.params, config.clip_weights)
        return d_loss, real_logits, fake_logits

    def _move_generator(self, real, noise):
        with no_grad():
            reals = self.discriminator(self.shown(real, noise)) if self.loss.real_in_generator else None
        g_loss = self.loss.generator(reals, self.discriminator(self.shown(self.fake(len(real)), noise)))
        self.g_optimiser.zero_grad()
        g_loss.backward(inputs=self.g_optimiser.params)
        self._follow(self.g_optimiser, self.config.clip_grad_g)
        if self.average is not None:
            self.average.update()
        return g_loss

    @staticmethod
    def _follow(optimiser, max_norm):
        """Take an optimiser's step along the gradients, their norm limited to `max_norm` unless that is 0."""
        if max_norm:
            optim.clip_grad_norm(optimiser.params, max_norm)
        optimiser.step()

    def fake(self, n):
        """Return n generated samples as the networks see them, in the graph."""
        return self.generator(self.latent.draw(self.rng, n))

    def shown(self, x, noise):
        """Return samples as the discriminator is to see them: with instance noise, in packs."""
        if self.config.noise:
            x = remedies.noisy(x, noise, self.rng)
        return x if self.config.pack == 1 else remedies.packed(x, self.config.pack)
