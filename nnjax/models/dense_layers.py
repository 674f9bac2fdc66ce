"""Dense layers one after another: the whole of a perceptron, the end of a convolutional net."""

import jax

from nnjax import activations, initializers
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout


def dense_layers(
    x: jax.Array,
    *,
    hidden: tuple[int, ...],
    outputs: int | None,
    activation: activations.Activation,
    dropout: float,
    kernel_init: initializers.Initializer,
    init_scale: float,
    train: bool,
) -> jax.Array:
    """Applies layers "hidden1", "hidden2" ..., each with activation and dropout, and "output".

    To be called by a module, whose layers they become. They work on (features, batch), the layout
    that is fastest on a CPU; what comes in is transposed as a part of the first product.

    Args:
      x: (batch, inputs).
      hidden: widths of the hidden layers.
      outputs: width of the last layer; None is 1.
      activation: of the hidden layers.
      dropout: rate after each hidden layer.
      kernel_init: initialiser of the kernels.
      init_scale: factor on the initial kernels.
      train: whether to drop elements.

    Returns:
      (batch, outputs), before any activation of the last layer.
    """
    options = {"kernel_init": kernel_init, "init_scale": init_scale, "layout": "CN"}
    x = x.T
    for index, features in enumerate(hidden):
        x = Dense(features, name=f"hidden{index + 1}", **options)(x)
        x = activations.by_name(activation, axis=0)(x)
        x = Dropout(dropout)(x, train=train)
    return Dense(1 if outputs is None else outputs, name="output", **options)(x).T
