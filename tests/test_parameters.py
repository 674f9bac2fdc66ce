"""Names of parameters."""

import jax
import numpy as np

from nnjax import parameters
from nnjax.learners.supervised import sum_of_squared_weights

PARAMS = {
    "hidden1": {"kernel": np.full((2, 3), 2.0, np.float32), "bias": np.full(3, 5.0, np.float32)},
    "normalisation": {"scale": np.full(3, 7.0, np.float32), "bias": np.zeros(3, np.float32)},
    "neuron": {"weights": np.full(2, 3.0, np.float32)},
    "recurrence": {"recurrent_bias": np.full(4, 9.0, np.float32)},
}


def test_names_are_paths_in_the_order_of_the_leaves():
    assert parameters.names(PARAMS) == [
        "hidden1/bias",
        "hidden1/kernel",
        "neuron/weights",
        "normalisation/bias",
        "normalisation/scale",
        "recurrence/recurrent_bias",
    ]


def test_parameters_are_counted_without_being_there():
    assert parameters.count(PARAMS) == 6 + 3 + 3 + 3 + 2 + 4
    assert parameters.count(jax.eval_shape(lambda: PARAMS)) == 21
    assert parameters.count({"bias": jax.ShapeDtypeStruct((), np.float32)}) == 1


def test_weights_are_what_is_neither_bias_nor_scale():
    paths = [path for path, _ in jax.tree.leaves_with_path(PARAMS)]
    weights = [parameters.name(path) for path in paths if parameters.is_weight(path)]
    assert weights == ["hidden1/kernel", "neuron/weights"]


def test_sum_of_squared_weights_leaves_out_biases_and_scales():
    assert float(sum_of_squared_weights(PARAMS)) == 6 * 4.0 + 2 * 9.0
    assert float(sum_of_squared_weights({"bias": np.ones(3, np.float32)})) == 0.0
