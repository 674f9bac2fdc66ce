"""Activation functions, by the names used in the field.

Each maps an array to an array of the same shape and floating dtype, element by element, except
``softmax``, which normalises the last axis.
"""

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from nnjax.errors import choose

Activation = Literal[
    "identity",
    "threshold",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "gelu",
    "silu",
    "softmax",
]


def identity(x: jax.Array) -> jax.Array:
    """f(x) = x.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.activations import identity
      >>> identity(jnp.array([-1.0, 2.0]))
      Array([-1.,  2.], dtype=float32)
    """
    return x


def threshold(x: jax.Array) -> jax.Array:
    """1 where x >= 0, else 0: the neuron of McCulloch and Pitts (1943). Its gradient is zero.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.activations import threshold
      >>> threshold(jnp.array([-1.0, 0.0, 2.0]))
      Array([0., 1., 1.], dtype=float32)
    """
    return (x >= 0).astype(x.dtype)


def leaky_relu(x: jax.Array) -> jax.Array:
    """Returns max(x, 0.01 x) (Maas et al. 2013).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.activations import leaky_relu
      >>> leaky_relu(jnp.array([-1.0, 2.0]))
      Array([-0.01,  2.  ], dtype=float32)
    """
    return jax.nn.leaky_relu(x, negative_slope=0.01)


def gelu(x: jax.Array) -> jax.Array:
    """Returns x Phi(x), Phi the normal distribution function, exact (Hendrycks and Gimpel 2016).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.activations import gelu
      >>> gelu(jnp.array([0.0]))
      Array([0.], dtype=float32)
    """
    return jax.nn.gelu(x, approximate=False)


_FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": identity,
    "threshold": threshold,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
    "gelu": gelu,
    "silu": jax.nn.silu,
    "softmax": jax.nn.softmax,
}


def by_name(
    name: str | Callable[[jax.Array], jax.Array], axis: int = -1
) -> Callable[[jax.Array], jax.Array]:
    """Returns the activation of that name; a function is returned as it is.

    Args:
      name: the name, or a function.
      axis: the axis of the features, which ``softmax`` normalises.

    Raises:
      UserError: the name is unknown.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.activations import by_name
      >>> by_name("relu")(jnp.array([-1.0, 2.0]))
      Array([0., 2.], dtype=float32)
    """
    function = name if callable(name) else choose("activation", name, _FUNCTIONS)
    return functools.partial(jax.nn.softmax, axis=axis) if function is jax.nn.softmax else function
