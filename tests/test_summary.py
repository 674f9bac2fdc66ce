"""The layer table: shapes, parameters and FLOPs of our models and of anyone's."""

import io

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

from nnjax.flops import count as count_flops
from nnjax.flops import products
from nnjax.models import CNN, MLP, SingleNeuron
from nnjax.summary import summarise

IMAGES = jax.ShapeDtypeStruct((7, 28, 28, 1), jnp.float32)


def count(model, inputs):
    train = {"train": True} if isinstance(model, Attention) else {}
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, **train), inputs)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


class Recurrent(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.SimpleCell(5, name="cell"))(x)
        return x[:, -1] @ self.param("head", nn.initializers.zeros, (5, 3))


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=8)(x)
        return nn.BatchNorm(use_running_average=not train)(x).mean((1, 2))


class Shared(nn.Module):
    @nn.compact
    def __call__(self, x):
        dense = nn.Dense(4, use_bias=False, name="dense")
        return dense(dense(x))


def test_mlp_rows_by_hand():
    summary = summarise(MLP(features=(30,), outputs=10), IMAGES)
    assert [(row.name, row.kind, row.shape, row.parameters, row.flops) for row in summary.rows] == [
        ("hidden1", "Dense", ("batch", 30), 784 * 30 + 30, 2 * 784 * 30),
        ("output", "Dense", ("batch", 10), 30 * 10 + 10, 2 * 30 * 10),
    ]
    assert summary.parameters == 23_860


def test_convolutions_count_by_formula_whatever_the_formulation():
    summary = summarise(CNN(outputs=10), IMAGES)
    flops = {row.name: row.flops for row in summary.rows}
    assert flops["convolution1"] == 2 * 24 * 24 * 5 * 5 * 1 * 20
    assert flops["convolution2"] == 2 * 10 * 10 * 3 * 3 * 20 * 40
    assert summary.parameters == 108_870
    assert summary.rows[0].shape[0] == "batch"
    assert summary.rows[0].shape[-1] == 20


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (SingleNeuron(), jax.ShapeDtypeStruct((4, 2), jnp.float32)),
        (MLP(features=(), outputs=3), IMAGES),
        (CNN(outputs=10, padding="SAME", convolutions=2, skip=True, kernel_sizes=(3,)), IMAGES),
        (Recurrent(), jax.ShapeDtypeStruct((4, 6, 2), jnp.float32)),
        (Attention(), jax.ShapeDtypeStruct((4, 6, 8), jnp.float32)),
        (Shared(), jax.ShapeDtypeStruct((4, 4), jnp.float32)),
        (nn.Sequential([nn.Dense(3), nn.relu, nn.Dense(2)]), IMAGES),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_are_those_of_the_model(model, inputs):
    assert summarise(model, inputs).parameters == count(model, inputs)


def test_products_in_a_scan_count_once_a_step():
    summary = summarise(Recurrent(), jax.ShapeDtypeStruct((4, 6, 2), jnp.float32))
    assert summary.flops == 6 * (2 * 2 * 5 + 2 * 5 * 5) + 2 * 5 * 3


def test_attention_counts_its_own_products():
    summary = summarise(Attention(), jax.ShapeDtypeStruct((4, 6, 8), jnp.float32))
    assert summary.flops == 4 * 6 * 2 * 8 * 8 + 2 * (2 * 6 * 6 * 8)


def test_a_shared_layer_is_one_row_with_all_its_work():
    (row,) = summarise(Shared(), jax.ShapeDtypeStruct((4, 4), jnp.float32)).rows
    assert (row.parameters, row.flops) == (16, 2 * 2 * 16)


def test_flax_convolution_in_a_trace():
    layer = nn.Conv(6, (3, 3), strides=2, feature_group_count=2)
    x = jax.ShapeDtypeStruct((1, 8, 8, 4), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.random.key(0), x)
    flops = 2 * 16 * 9 * 2 * 6
    assert [one.flops for one in products(layer.apply, variables, x)] == [flops]
    assert count_flops(layer.apply, variables, x) == flops


def test_zeros_between_the_inputs_of_a_transposed_convolution_are_not_counted():
    model = nn.ConvTranspose(4, (2, 2), strides=(2, 2))
    images = jax.ShapeDtypeStruct((1, 14, 14, 8), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    assert count_flops(model.apply, variables, images) == 2 * 14 * 14 * 8 * 4 * 4


def test_dropout_has_a_row_where_it_drops():
    names = [row.kind for row in summarise(MLP(outputs=2, dropout=0.5), IMAGES).rows]
    assert names == ["Dense", "Dropout", "Dense"]


def test_render_shows_layers_and_totals():
    console = Console(width=120, file=io.StringIO())
    console.print(summarise(MLP(outputs=10), IMAGES).render())
    text = console.file.getvalue()
    assert "batch x 30" in text
    assert "23,860" in text.splitlines()[-1]
