"""Where in its sequence a word stands, for layers that would not know."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.errors import UserError
from nnjax.traced import check_number


def rotate(x: jax.Array, positions: jax.Array, base: float = 10_000.0) -> jax.Array:
    """Rotary positions (Su et al. 2021): turns pairs of features by angles that grow with position.

    Feature i and feature i + d/2 are a point in the plane, which is turned by the angle
    position * base^(-2i/d). The product of a rotated query and a rotated key then depends on
    positions by their difference alone.

    Args:
      x: (..., time, heads, d), queries or keys.
      positions: (time,) of the steps.
      base: sets the slowest rotation.

    Returns:
      As ``x``, of its dtype; the angles are computed in float32.

    Raises:
      UserError: d is odd.
    """
    width = x.shape[-1]
    if width % 2:
        raise UserError(
            f"rotary positions turn pairs of features, and a head has {width}; choose features "
            "and heads such that it has an even number"
        )
    frequencies = base ** (-jnp.arange(0, width, 2, dtype=jnp.float32) / width)
    angles = (positions.astype(jnp.float32)[:, None] * frequencies)[:, None, :]
    cos, sin = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position (Gehring et al. 2017). Parameter: ``kernel``.

    Attributes:
      length: number of positions.
      features: width of a vector.
      init_scale: standard deviation of the initial vectors; may be traced.
    """

    length: int
    features: int
    init_scale: float = 0.02

    def __post_init__(self):
        check_number("number of positions", self.length, at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """Maps (..., time, features), at ``positions`` (time,), to the same shape."""
        draw = initializers.by_name("normal", self.init_scale)
        kernel = self.param("kernel", draw, (self.length, self.features), jnp.float32)
        return x + jnp.take(kernel, positions, axis=0, mode="clip").astype(x.dtype)
