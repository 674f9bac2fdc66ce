"""Dense layers one after another: the whole of a perceptron, the end of a convolutional net."""

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
    """Makes layers "hidden1", "hidden2" ..., each with activation and dropout, and "output".

    To be called by a module, whose layers they become. They work on (features, batch), the layout
    that is fastest on a CPU; what comes in is transposed as a part of the first product.

    Args:
      hidden: widths of the hidden layers.
      outputs: width of the last layer; None is 1.
      activation: of the hidden layers.
      dropout: rate after each hidden layer.
      kernel_init: initialiser of the kernels.
      init_scale: factor on the initial kernels.
      train: whether to drop elements.

    Returns:
      Maps (batch, inputs) to (batch, outputs), before any activation of the last layer.
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
        if jax.default_backend() == "cpu":
            # Else XLA multiplies by the gradient transposed back, for which it has no fast product.
            outputs = jax.lax.optimization_barrier(outputs)
        return outputs.T

    return apply
