"""What a mask leaves out has no influence: not on losses and gradients, nor on batch statistics."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def clean_inputs(inputs: Any, mask: jax.Array | None) -> Any:
    """Returns inputs in which masked examples hold nothing that could spoil a gradient.

    The gradient of a masked example is 0, but 0 * inf is NaN: numbers that are not finite, or whose
    squares are not, become 0, and so do all integers, which might be ids out of range. Other
    numbers stay as they are, since padding repeats examples of its batch.

    Args:
      inputs: arrays (batch, ...).
      mask: (batch,), 0 for masked examples; None returns the inputs.
    """
    if mask is None:
        return inputs

    def clean(array: jax.Array) -> jax.Array:
        counts = _like(mask > 0, array)
        if jnp.issubdtype(array.dtype, jnp.floating):
            counts = counts | jnp.isfinite(jnp.square(array))
        return jnp.where(counts, array, jnp.zeros_like(array))

    return jax.tree.map(clean, inputs)


def clean_targets(
    outputs: jax.Array, targets: jax.Array, weights: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Returns outputs and targets that are 0 where the weights are.

    A loss of them has a gradient of exactly 0 there, whatever stood there: a `where` on the losses
    alone would leave 0 * NaN.

    Args:
      outputs: (batch, outputs) or (batch, time, outputs).
      targets: class indices of the shape of the weights, or vectors of that of the outputs.
      weights: as :func:`nnjax.metrics.present` returns them; None changes nothing.
    """
    if weights is None:
        return outputs, targets
    counts = weights > 0
    outputs = jnp.where(counts[..., None], outputs, 0.0)
    # Targets of any other shape are refused by the loss.
    if targets.shape[: counts.ndim] == counts.shape:
        targets = jnp.where(_like(counts, targets), targets, jnp.zeros_like(targets))
    return outputs, targets


def normalised_over(mask: jax.Array) -> AbstractContextManager[None]:
    """Lets every ``flax.linen.BatchNorm`` called within the context leave masked examples out.

    A module whose input has the examples along its first axis gets the mask as its argument
    ``mask``, unless it was given one. So a last batch of 3 examples, padded to 128, is normalised
    by the mean and variance of the 3. Where no example counts, all do, as 0 / 0 is no mean.

    Args:
      mask: (batch,), 0 for masked examples.
    """
    counts = mask > 0
    counts = counts | ~jnp.any(counts)

    def give_mask(call: Callable, arguments: tuple, options: dict, context: Any) -> Any:
        module = context.module
        if isinstance(module, nn.BatchNorm) and context.method_name == "__call__" and arguments:
            x = arguments[0]
            reduces_examples = x.ndim > 1 and module.axis not in (0, -x.ndim)
            if reduces_examples and len(x) == len(mask) and options.get("mask") is None:
                options = {**options, "mask": _like(counts, x)}
        return call(*arguments, **options)

    return nn.intercept_methods(give_mask)


def _like(flags: jax.Array, array: jax.Array) -> jax.Array:
    """Flags with axes of length 1 appended, to broadcast against an array."""
    return flags.reshape(*flags.shape, *(1,) * (array.ndim - flags.ndim))
