"""A stack of dense layers: a whole perceptron, or the end of a convolutional network."""

from collections.abc import Callable

import jax

from nnjax import activations, initializers
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout


def dense_layers(
    *,
    hidden: tuple[int, ...],
    outputs: int | None,
    activation: activations.Activation,
    dropout: float,
    kernel_init: initializers.Initializer,
    init_scale: float,
    train: bool,
) -> Callable[[jax.Array], jax.Array]:
    """Returns a function that applies layers "hidden1", "hidden2", ... and "output".

    Called inside a compact module, whose layers they become. They compute on (features, batch), the
    layout that is fastest on a CPU; the first product also transposes the input.

    Args:
      hidden: widths of the hidden layers.
      outputs: width of the last layer; None is 1.
      activation: activation of the hidden layers.
      dropout: rate after each hidden layer; may be traced.
      kernel_init: initialiser of the kernels.
      init_scale: factor on the initial kernels; may be traced.
      train: whether to apply dropout.

    Returns:
      A function from (batch, inputs) to (batch, outputs), without an activation of the last layer.
    """
    options = {"kernel_init": kernel_init, "init_scale": init_scale, "layout": "CN"}
    layers = [
        (Dense(features, name=f"hidden{index + 1}", **options), Dropout(dropout))
        for index, features in enumerate(hidden)
    ]
    last = Dense(1 if outputs is None else outputs, name="output", **options)

    def apply(x: jax.Array) -> jax.Array:
        x = x.T
        for layer, drop in layers:
            x = drop(activations.by_name(activation, axis=0)(layer(x)), train=train)
        outputs = last(x)
        # Without the barrier, XLA on a CPU would transpose the gradient back before the product,
        # for which it has no fast product.
        outputs = jax.lax.platform_dependent(
            outputs, cpu=jax.lax.optimization_barrier, default=lambda outputs: outputs
        )
        return outputs.T

    return apply
