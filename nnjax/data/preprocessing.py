"""Preprocessing of inputs on the device: scaling, standardising, a fixed permutation."""

from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.data.checks import NOISE
from nnjax.errors import UserError
from nnjax.traced import SEEDS, check_number, is_plain

Array = TypeVar("Array", jax.Array, np.ndarray)


@dataclass(frozen=True)
class Preprocess:
    """x -> (scale x - mean) / std as float32, after an optional fixed permutation of the pixels.

    Attributes:
      offset: numbers that the source subtracts in 64 bits, before it stores the differences in 32
        bits; empty for none, or one for each feature (the last axis). A source of 64-bit numbers
        fills it in with ``standardise=True`` where 32 bits would not tell the numbers apart, such
        as times in milliseconds. A model takes the stored differences, an exported model too.
      scale: factor on the stored numbers; None is 1/255 for bytes, which maps them to [0, 1], and 1
        for other numbers.
      mean: subtracted after scaling; empty for none, one number, or one for each channel or feature
        (the last axis).
      std: divided by after subtracting; empty for none.
      permutation_seed: draws one permutation of all pixels (or features) of an example and applies
        it to every example; None leaves them where they are.

    Raises:
      UserError: a standard deviation is not above 0, or the seed is out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.data import Preprocess
      >>> preprocess = Preprocess(scale=0.5, mean=(1.0,), std=(2.0,))
      >>> preprocess(jnp.array([[6, 10]]))
      Array([[1., 2.]], dtype=float32)
    """

    scale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    permutation_seed: int | None = None
    offset: tuple[float, ...] = ()

    def __post_init__(self):
        check_number("permutation seed", self.permutation_seed, at_least=0, below=SEEDS)
        for number in self.std:
            check_number("standard deviation", number, above=0)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Maps (batch, ...) of any numeric dtype to float32 of the same shape.

        Raises:
          UserError: there are neither one nor as many means as channels or features.
        """
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count > 1 and count != inputs.shape[-1]:
                raise UserError(
                    f"preprocess.{name} has {count} numbers for {inputs.shape[-1]} channels or "
                    "features; give one, or one for each"
                )
        if self.permutation_seed is not None:
            inputs = permute(inputs, self.permutation_seed)
        scale = self.factor(inputs.dtype)
        mean = self.mean
        if centre := _integer_centre(inputs.dtype, scale, mean):
            x = _subtract_integers(inputs, centre)
            mean = tuple(one - scale * whole for one, whole in zip(mean, centre, strict=True))
        else:
            x = inputs.astype(jnp.float32)
        if not is_plain(scale, 1):
            x = x * jnp.asarray(scale, jnp.float32)
        if mean:
            x = x - jnp.asarray(mean, jnp.float32)
        if self.std:
            x = x / jnp.asarray(self.std, jnp.float32)
        return x

    def factor(self, dtype: np.typing.DTypeLike) -> float:
        """The scale for inputs stored as ``dtype``."""
        if self.scale is not None:
            return self.scale
        return 1 / 255 if dtype == np.uint8 else 1.0


def _integer_centre(
    dtype: np.typing.DTypeLike, scale: float, mean: tuple[float, ...]
) -> tuple[int, ...]:
    """Whole numbers near the means of unscaled integers; none where float32 holds these exactly."""
    numbers = (scale, *mean)
    if np.dtype(dtype).kind not in "iu" or np.dtype(dtype).itemsize < 4 or not mean:
        return ()
    if not all(isinstance(number, float | int) for number in numbers) or scale == 0:
        return ()
    centre = tuple(round(one / scale) for one in mean)
    is_large = any(abs(one) >= 2**16 for one in centre)
    return centre if is_large and all(abs(one) < 2**31 for one in centre) else ()


def _subtract_integers(inputs: jax.Array, centre: tuple[int, ...]) -> jax.Array:
    """``inputs - centre`` of 32-bit integers as float32, rounded once.

    The upper and the lower 16 bits are subtracted apart, because the difference of two 32-bit
    integers may need 33 bits.
    """
    upper = (inputs >> 16).astype(jnp.int32) - jnp.asarray([one >> 16 for one in centre])
    lower = (inputs & 0xFFFF).astype(jnp.int32) - jnp.asarray([one & 0xFFFF for one in centre])
    return upper.astype(jnp.float32) * 65536.0 + lower.astype(jnp.float32)


def ids(tree: Any) -> Any:
    """A pytree with every array of integers as int32, the dtype of word ids in models."""

    def cast(leaf: jax.Array) -> jax.Array:
        return leaf.astype(jnp.int32) if jnp.issubdtype(leaf.dtype, jnp.integer) else leaf

    return jax.tree.map(cast, tree)


def permute(inputs: Array, seed: int) -> Array:
    """Inputs with the elements of every example in one order, drawn from ``seed``.

    Maps (batch, ...) to the same shape and dtype.
    """
    size = int(np.prod(inputs.shape[1:]))
    order = np.random.default_rng(seed).permutation(size)
    return inputs.reshape(inputs.shape[0], size)[:, order].reshape(inputs.shape)


def statistics(inputs: np.ndarray, axes: tuple[int, ...]) -> tuple[tuple, tuple]:
    """Mean and standard deviation of training inputs over ``axes``, to standardise with.

    Returns:
      (mean, std), each a tuple of numbers; a constant feature gets std 1.
    """
    mean = inputs.mean(axes, dtype=np.float64)
    std = inputs.std(axes, dtype=np.float64)
    # A constant such as 0.1 has a spread of its own rounding errors, which is not to be enlarged.
    std = np.where(std > NOISE * np.abs(inputs).max(axes), std, 1.0)
    return tuple(np.atleast_1d(mean).tolist()), tuple(np.atleast_1d(std).tolist())
