"""Initialisers of parameters, by the names used in the field.

Each is a function ``(key, shape, dtype) -> array``. Fan-in is the product of all axes but the
last, fan-out the last axis times the receptive field (the axes before the last two).
"""

from collections.abc import Callable
from typing import Literal

import jax
from jax.nn import initializers as jax_initializers

from nnjax.errors import choose
from nnjax.traced import is_plain

Initializer = Literal[
    "zeros",
    "ones",
    "normal",
    "uniform",
    "lecun_normal",
    "lecun_uniform",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "orthogonal",
]


_FUNCTIONS: dict[str, Callable] = {
    "zeros": jax_initializers.zeros,
    "ones": jax_initializers.ones,
    # The standard normal distribution, for single neurons.
    "normal": jax_initializers.normal(stddev=1.0),
    # Uniform in [-0.05, 0.05], Keras's "random_uniform".
    "uniform": lambda key, shape, dtype=float: jax.random.uniform(key, shape, dtype, -0.05, 0.05),
    "lecun_normal": jax_initializers.lecun_normal(),
    "lecun_uniform": jax_initializers.lecun_uniform(),
    "glorot_normal": jax_initializers.glorot_normal(),
    "glorot_uniform": jax_initializers.glorot_uniform(),
    "he_normal": jax_initializers.he_normal(),
    "he_uniform": jax_initializers.he_uniform(),
    "orthogonal": jax_initializers.orthogonal(),
}


def by_name(name: str | Callable, scale: float | jax.Array = 1.0) -> Callable:
    """Returns the initialiser of that name (a function passes through), its draws times ``scale``.

    Raises:
      UserError: the name is unknown.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.initializers import by_name
      >>> by_name("ones", scale=0.5)(jax.random.key(0), (2,), jnp.float32)
      Array([0.5, 0.5], dtype=float32)
    """
    initializer = name if callable(name) else choose("initializer", name, _FUNCTIONS)
    # A plain scale of 1 is left out of the traced program; a traced scale always multiplies.
    if is_plain(scale, 1):
        return initializer
    return lambda key, shape, dtype=float: scale * initializer(key, shape, dtype)
