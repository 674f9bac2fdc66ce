"""Parameters of recurrent cells, with the gates packed along the last axis, and their products."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.layers.cells.cell import Weights

Bias = Literal["none", "single", "double"]
"""No bias; one vector; or, as in PyTorch and cuDNN, one beside each product, which are added."""


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
    """Declares the float32 parameters of a cell, with the gates packed along the last axis.

    The part of each gate is drawn separately, so that its scale depends on its own size alone.

    Args:
      module: the cell, whose parameters they become.
      inputs: number of inputs.
      units: number of units.
      gates: number of gates.
      bias: which bias vectors to declare.
      initial_bias: maps a key to each gate's initial bias, a number or (units,); may be traced.
      kernel_init: initialiser of each gate's (inputs, units).
      recurrent_init: initialiser of each gate's (units, units).
      init_scale: factor on the initial values of both kernels; may be traced.

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
    """The parameters cast to the dtype in which the cell computes."""
    return {name: weight.astype(dtype) for name, weight in weights.items()}


def affine(weights: Weights, x: jax.Array) -> jax.Array:
    """Returns x W + b.

    Args:
      weights: ``kernel`` W (inputs, outputs), and optionally ``bias`` b (outputs,).
      x: (..., inputs), or int ids (...), which stand for one-hot vectors: the row of W is taken.
        An id below 0 or past the last row stands for a vector of zeros and gives b.

    Returns:
      (..., outputs).
    """
    kernel = weights["kernel"]
    y = take_rows(kernel, x) if is_ids(x) else jnp.tensordot(x, kernel, axes=1)
    return y + weights["bias"] if "bias" in weights else y


def is_ids(x: jax.Array) -> bool:
    """Whether an input holds integer ids, which stand for one-hot vectors."""
    return jnp.issubdtype(x.dtype, jnp.integer)


def take_rows(kernel: jax.Array, ids: jax.Array) -> jax.Array:
    """The product of one-hot vectors with the kernel: its rows, or zeros for ids out of range."""
    # NumPy indexing counts negative ids from the end. Past the end, "fill" returns zeros.
    places = jnp.where(ids < 0, kernel.shape[0], ids)
    return kernel.at[places].get(mode="fill", fill_value=0)


def recurrent_product(
    weights: Weights, state: jax.Array, state_mask: jax.Array | None
) -> jax.Array:
    """The state's contribution to every gate: (state * state_mask) U, plus b' if there is one.

    Args:
      weights: ``recurrent_kernel`` U, and optionally ``recurrent_bias`` b'.
      state: (batch, units).
      state_mask: factors (batch, units); None is all ones.

    Returns:
      (batch, gates * units).
    """
    operand = state if state_mask is None else state * state_mask
    product = operand @ weights["recurrent_kernel"]
    return product + weights["recurrent_bias"] if "recurrent_bias" in weights else product


def split(packed: jax.Array, parts: int) -> list[jax.Array]:
    """Splits (..., parts * units) into the gates, each (..., units)."""
    return jnp.split(packed, parts, axis=-1)


def _packed(draw, gates: int):
    """An initialiser that draws each gate separately, with a key of its own."""

    def drawn(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        keys = jax.random.split(key, gates)
        return jnp.concatenate([draw(key, shape, jnp.float32) for key in keys], axis=-1)

    return drawn
