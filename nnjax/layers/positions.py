"""Position encodings, for layers that do not see the order of a sequence."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.errors import UserError
from nnjax.traced import check_number


def rotate(x: jax.Array, positions: jax.Array, base: float = 10_000.0) -> jax.Array:
    """Rotary position encoding (Su et al. 2021): rotates pairs of features by position.

    Features i and i + d/2 are the coordinates of a point, which is rotated by the angle
    position * base^(-2i/d). The product of a rotated query and a rotated key then depends only on
    the difference of their positions.

    Args:
      x: queries or keys (..., time, heads, d).
      positions: the position of each step (time,).
      base: the slowest pair of features rotates by about 1 / base a step.

    Returns:
      Shape and dtype of ``x``; the angles are computed in float32.

    Raises:
      UserError: d is odd.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.positions import rotate
      >>> rotate(jnp.ones((3, 1, 4)), jnp.arange(3))[0]  # position 0: no rotation
      Array([[1., 1., 1., 1.]], dtype=float32)
    """
    width = x.shape[-1]
    if width % 2:
        raise UserError(
            f"rotary positions rotate pairs of features, and a head has {width}; choose features "
            "and heads so that a head has an even number of features"
        )
    frequencies = base ** (-jnp.arange(0, width, 2, dtype=jnp.float32) / width)
    angles = (positions.astype(jnp.float32)[:, None] * frequencies)[:, None, :]
    cos, sin = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position (Gehring et al. 2017).

    Parameter, float32: ``kernel`` (length, features).

    Attributes:
      length: number of positions.
      features: width of a vector.
      init_scale: standard deviation of the initial vectors; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import LearnedPositions
      >>> x, layer = jnp.zeros((2, 3, 4)), LearnedPositions(length=8, features=4)
      >>> y, _ = jax.jit(layer.init_with_output)(jax.random.key(0), x, jnp.arange(3))
      >>> y.shape
      (2, 3, 4)
    """

    length: int
    features: int
    init_scale: float = 0.02

    def __post_init__(self):
        check_number("number of positions", self.length, at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """Maps (..., time, features) at the ``positions`` (time,) to the same shape."""
        draw = initializers.by_name("normal", self.init_scale)
        kernel = self.param("kernel", draw, (self.length, self.features), jnp.float32)
        return x + jnp.take(kernel, positions, axis=0, mode="clip").astype(x.dtype)
