"""Parameters of recurrent cells, the gates side by side along the last axis."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.layers.cells.cell import Weights

Bias = Literal["none", "single", "double"]
"""No bias; one vector; or, as PyTorch and cuDNN, one with each product, which add up."""


def packed_weights(
    module: nn.Module,
    inputs: int,
    units: int,
    *,
    gates: int,
    bias: Bias,
    initial_bias: Callable[[jax.Array], tuple[Any, ...]],
    kernel_init: initializers.Initializer,
    recurrent_init: initializers.Initializer,
    init_scale: float | jax.Array = 1.0,
) -> Weights:
    """Declares the parameters of a cell, float32, the gates side by side along the last axis.

    Each gate's part is drawn by itself, as if it stood alone.

    Args:
      module: the cell, which gets the parameters.
      inputs: width of the input.
      units: width of the state.
      gates: how many gates there are.
      bias: how many bias vectors there are.
      initial_bias: of a key, that of each gate: a number, or (units,); may be traced.
      kernel_init: initialiser of each gate's (inputs, units).
      recurrent_init: initialiser of each gate's (units, units).
      init_scale: factor on both.

    Returns:
      ``kernel`` (inputs, gates * units), ``recurrent_kernel`` (units, gates * units), and
      depending on ``bias`` ``bias`` and ``recurrent_bias`` (gates * units,).
    """
    shapes = {"kernel": (inputs, units), "recurrent_kernel": (units, units)}
    draws = {
        "kernel": initializers.by_name(kernel_init, init_scale),
        "recurrent_kernel": initializers.by_name(recurrent_init, init_scale),
    }
    weights = {
        name: module.param(name, _packed(draws[name], gates), shapes[name]) for name in draws
    }
    if bias != "none":
        weights["bias"] = module.param(
            "bias",
            lambda key: jnp.concatenate(
                [jnp.full(units, value, jnp.float32) for value in initial_bias(key)]
            ),
        )
    if bias == "double":
        weights["recurrent_bias"] = module.param(
            "recurrent_bias", initializers.by_name("zeros"), (gates * units,), jnp.float32
        )
    return weights


def cast(weights: Weights, dtype: Any) -> Weights:
    """The parameters in the dtype in which a cell computes."""
    return {name: weight.astype(dtype) for name, weight in weights.items()}


def affine(weights: Weights, x: jax.Array) -> jax.Array:
    """Returns x W + b.

    Args:
      weights: with ``kernel`` W (inputs, outputs), and maybe ``bias`` b (outputs,).
      x: (..., inputs), or int ids (...): the product of a one-hot vector with W is a row of W, so
        the row is taken. Ids below 0 or above the last row give b alone, as zeros would.

    Returns:
      (..., outputs).
    """
    kernel = weights["kernel"]
    y = rows(kernel, x) if is_ids(x) else jnp.tensordot(x, kernel, axes=1)
    return y + weights["bias"] if "bias" in weights else y


def is_ids(x: jax.Array) -> bool:
    """Whether an input is ids, which stand for one-hot vectors."""
    return jnp.issubdtype(x.dtype, jnp.integer)


def rows(kernel: jax.Array, ids: jax.Array) -> jax.Array:
    """What one-hot vectors times the kernel would be: zeros for ids that are none of its rows."""
    # Negative numbers would count from the end; past the end is what "fill" fills.
    places = jnp.where(ids < 0, kernel.shape[0], ids)
    return kernel.at[places].get(mode="fill", fill_value=0)


def recurrent(weights: Weights, state: jax.Array, kept: jax.Array | None) -> jax.Array:
    """The state's part of every gate: (state * kept) U, and b' where there is one.

    Args:
      weights: with ``recurrent_kernel`` U, and maybe ``recurrent_bias`` b'.
      state: (batch, units).
      kept: factors (batch, units), or None.
    """
    product = kept_state(state, kept) @ weights["recurrent_kernel"]
    return product + weights["recurrent_bias"] if "recurrent_bias" in weights else product


def split(packed: jax.Array, parts: int) -> list[jax.Array]:
    """The gates, each (..., units), of (..., parts * units)."""
    return jnp.split(packed, parts, axis=-1)


def kept_state(state: jax.Array, kept: jax.Array | None) -> jax.Array:
    """The state as it enters a product: with some units dropped, where there is a mask."""
    return state if kept is None else state * kept


def _packed(draw, gates: int):
    def drawn(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        keys = jax.random.split(key, gates)
        return jnp.concatenate([draw(one, shape, jnp.float32) for one in keys], axis=-1)

    return drawn
