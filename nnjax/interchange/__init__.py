"""Weights of other libraries' layers in and out, as NumPy arrays; none of them is imported."""

from nnjax.interchange.keras import from_keras, to_keras
from nnjax.interchange.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_torch"]
