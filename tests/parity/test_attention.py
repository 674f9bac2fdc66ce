"""Attention with the same weights as PyTorch's: outputs and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.layers.attention import CausalSelfAttention, masked_softmax
from nnjax.layers.embedding import Embedding

torch = pytest.importorskip("torch")

FEATURES, HEADS, BATCH, TIME = 12, 3, 2, 7
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)
COTANGENT = GENERATOR.normal(size=X.shape).astype(np.float32)
PARAMS = {
    name: {
        "kernel": GENERATOR.normal(size=(width, FEATURES)).astype(np.float32) / 3,
        "bias": GENERATOR.normal(size=width).astype(np.float32),
    }
    for name, width in (("qkv", 3 * FEATURES), ("output", FEATURES))
}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("window", [None, 3])
def test_self_attention_is_torchs_multihead_attention(window):
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
    names = {
        "in_proj_weight": PARAMS["qkv"]["kernel"],
        "in_proj_bias": PARAMS["qkv"]["bias"],
        "out_proj.weight": PARAMS["output"]["kernel"],
        "out_proj.bias": PARAMS["output"]["bias"],
    }
    theirs.load_state_dict({name: torch.tensor(value) for name, value in names.items()})
    before = np.arange(TIME)[:, None] - np.arange(TIME)
    hidden = (before < 0) | (before >= (window or TIME))
    x = torch.tensor(X, requires_grad=True)
    expected, _ = theirs(x, x, x, attn_mask=torch.tensor(hidden), need_weights=False)
    expected.backward(torch.tensor(COTANGENT))

    layer = CausalSelfAttention(FEATURES, HEADS, rotary=False, window=window)
    y, pull = jax.vjp(lambda params, x: layer.apply({"params": params}, x), PARAMS, X)
    gradient, dx = pull(jnp.asarray(COTANGENT))
    np.testing.assert_allclose(y, expected.detach(), **TOLERANCE)
    np.testing.assert_allclose(dx, x.grad, **TOLERANCE)
    theirs_by_name = dict(theirs.named_parameters())
    for name, (part, leaf) in zip(
        names, [(p, leaf) for p in ("qkv", "output") for leaf in ("kernel", "bias")], strict=True
    ):
        np.testing.assert_allclose(gradient[part][leaf], theirs_by_name[name].grad, **TOLERANCE)


def test_masked_softmax_of_products_is_torchs_scaled_dot_product_attention():
    query, key, value = (GENERATOR.normal(size=(2, 5, 4)).astype(np.float32) for _ in range(3))
    mask = GENERATOR.random(size=(2, 5, 5)) < 0.6
    mask[..., 0] = True
    weights = masked_softmax(jnp.einsum("btf,bsf->bts", query, key) / 2, mask)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (query, key, value)), attn_mask=torch.tensor(mask)
    )
    np.testing.assert_allclose(weights @ value, expected, **TOLERANCE)


def test_embedding_is_torchs():
    table = GENERATOR.normal(size=(6, 3)).astype(np.float32)
    ids = np.array([[1, 5, 0], [3, 3, 3]])
    ours = Embedding(6, 3).apply({"params": {"kernel": table}}, ids)
    theirs = torch.nn.functional.embedding(torch.tensor(ids), torch.tensor(table))
    np.testing.assert_array_equal(ours, theirs)
