"""Conversion of recurrent weights from and to PyTorch and Keras, as NumPy arrays.

Neither library is imported: weights come in and go out as the arrays of ``state_dict()`` and
``get_weights()``.
"""

from nnjax.interchange.keras import from_keras, to_keras
from nnjax.interchange.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_torch"]
