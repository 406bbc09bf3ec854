"""Training: the GAN, its run folder, the presets and the report."""

from minigan.training.config import Config
from minigan.training.diagnosis import Symptoms, diagnose
from minigan.training.gan import GAN
from minigan.training.latent import Latent
from minigan.training.run import RunFolder
from minigan.training.symptoms import symptoms_of
from minigan.training.virtual import VirtualDataset

__all__ = ["GAN", "Config", "Latent", "RunFolder", "Symptoms", "VirtualDataset", "diagnose", "symptoms_of"]
