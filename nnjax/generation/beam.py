"""Beam search: an approximation of the likeliest sequence that keeps a few hypotheses."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nnjax.errors import UserError
from nnjax.traced import check_number

IMPOSSIBLE = -1e9
"""The log-probability of an empty place of a beam; finite, because sums of it are compared."""


def beam_search(
    model: nn.Module,
    variables: Any,
    source: Any,
    length: int,
    *,
    start: int,
    end: int,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> tuple[np.ndarray, np.ndarray]:
    """The best target sequences for each source, found with ``beams`` hypotheses at every word.

    The score of a finished hypothesis y is log p(y | source) / ((5 + |y|) / 6)^length_penalty
    (Wu et al. 2016), where |y| counts the end. The search stops when no open hypothesis can reach a
    better score than the finished ones.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.generation import beam_search
      >>> from nnjax.layers.cells import GRUCell
      >>> from nnjax.layers.recurrence.recurrent import Recurrent
      >>> from nnjax.models import EncoderDecoder
      >>> cell = Recurrent(GRUCell(4))
      >>> model = EncoderDecoder(cell, cell, vocabulary=6, target_vocabulary=6)
      >>> source = jnp.array([[2, 3, 4]])
      >>> variables = model.init(jax.random.key(0), {"source": source, "target": source})
      >>> ids, scores = beam_search(model, variables, source, 5, start=0, end=1, beams=2)
      >>> ids.shape, scores.shape
      ((1, 2, 5), (1, 2))

    Args:
      model: with ``start(source, length)`` and ``advance(carry, tokens)``. Arrays of the carry have
        the batch as first axis. Arrays without axes, and arrays under "memory" in a carry that is a
        dict, are the same for all hypotheses.
      variables: of the model.
      source: as the model takes it: ids (batch, S), negative after their end, or images.
      length: largest number of words of an answer, the end included; hypotheses that are open at
        this length count as finished.
      start: the id that every target begins with.
      end: the id that every target ends with.
      beams: number of hypotheses; 1, without a length penalty, is greedy search.
      length_penalty: 0 compares log-probabilities, which favours short answers; 1 compares nearly
        their means.

    Returns:
      int32 ids (batch, beams, length), the best first, negative from the end on; and their scores
      (batch, beams), -1e9 where fewer hypotheses were found.

    Raises:
      UserError: the number of hypotheses or words is not positive, the length penalty is negative
        or not finite, or there is no source.
    """
    check_number("number of beams", beams, at_least=1)
    check_number("number of words to write", length, at_least=1)
    check_number("length penalty", length_penalty, at_least=0, below=float("inf"))
    if not len(source):
        raise UserError("there is no source to answer; give at least one")
    source, penalty = jax.device_put(source), jax.device_put(np.float32(length_penalty))
    found = _search(model, variables, source, penalty, length, start, end, beams)
    ids, scores = jax.device_get(found)
    return ids, scores


@functools.partial(jax.jit, static_argnames=("model", "length", "start", "end", "beams"))
def _search(model, variables, source, penalty, length: int, start: int, end: int, beams: int):
    carry = model.apply(variables, source, length, method="start")
    batch = len(source)

    def score(log_probability, words):
        normalized = log_probability / ((5 + words) / 6) ** penalty
        return jnp.where(log_probability > IMPOSSIBLE / 2, normalized, IMPOSSIBLE)

    state = {
        "step": jnp.zeros((), jnp.int32),
        "carry": jax.tree.map(functools.partial(_repeat, batch=batch, beams=beams), carry),
        "token": jnp.full((batch, beams), start, jnp.int32),
        "ids": jnp.full((batch, beams, length), -1, jnp.int32),
        # All hypotheses are equal at first, so only one of them may be extended.
        "open": jnp.full((batch, beams), IMPOSSIBLE).at[:, 0].set(0.0),
        "finished": jnp.full((batch, beams, length), -1, jnp.int32),
        "scores": jnp.full((batch, beams), IMPOSSIBLE),
    }

    def goes_on(state):
        # Scores are negative and the divisor grows: this is an upper bound of an open hypothesis.
        bound = score(jnp.max(state["open"], axis=1), jnp.where(penalty > 0, length, 1))
        worst = jnp.min(state["scores"], axis=1)
        return (state["step"] < length) & jnp.any(bound > worst)

    def step(state):
        carry, logits = model.apply(
            variables, state["carry"], state["token"].reshape(-1), method="advance"
        )
        added = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(batch, beams, -1)
        words = added.shape[-1]
        total = (state["open"][:, :, None] + added).reshape(batch, -1)
        # At most half of twice as many candidates end, so that enough candidates stay open.
        best, index = jax.lax.top_k(total, min(2 * beams, beams * words))
        parent, word = index // words, (index % words).astype(jnp.int32)
        ids = jnp.take_along_axis(state["ids"], parent[..., None], axis=1)
        ends = word == end
        # Only candidates among the top `beams` may end: otherwise a beam of one would differ from
        # greedy search.
        ended = jnp.where(ends, score(best, state["step"] + 1), IMPOSSIBLE)[:, :beams]
        finished, scores = _best(
            beams,
            jnp.concatenate([state["finished"], ids[:, :beams]], axis=1),
            jnp.concatenate([state["scores"], ended], axis=1),
        )
        open_, kept = jax.lax.top_k(jnp.where(ends, IMPOSSIBLE, best), beams)
        parent, word = (jnp.take_along_axis(one, kept, axis=1) for one in (parent, word))
        ids = jnp.take_along_axis(ids, kept[..., None], axis=1)
        return {
            "step": state["step"] + 1,
            "carry": _reordered(carry, parent),
            "token": word,
            "ids": ids.at[:, :, state["step"]].set(word),
            "open": open_,
            "finished": finished,
            "scores": scores,
        }

    state = jax.lax.while_loop(goes_on, step, state)
    # Hypotheses that are open after the last word count, too. After an early stop none of them is
    # better than the finished ones.
    return _best(
        beams,
        jnp.concatenate([state["finished"], state["ids"]], axis=1),
        jnp.concatenate(
            [
                state["scores"],
                jnp.where(state["step"] == length, score(state["open"], length), IMPOSSIBLE),
            ],
            axis=1,
        ),
    )


def _best(beams: int, ids: jax.Array, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The ``beams`` hypotheses with the highest scores, the highest first."""
    scores, index = jax.lax.top_k(scores, beams)
    return jnp.take_along_axis(ids, index[..., None], axis=1), scores


def _repeat(leaf: jax.Array, batch: int, beams: int) -> jax.Array:
    """(batch, ...) repeated to (batch * beams, ...), the hypotheses of a source in a row."""
    return jnp.repeat(leaf, beams, axis=0, total_repeat_length=batch * beams) if leaf.ndim else leaf


def _reordered(carry: Any, parent: jax.Array) -> Any:
    """The carry of the parent of each hypothesis; ``parent`` is (batch, beams)."""
    batch, beams = parent.shape
    rows = (jnp.arange(batch)[:, None] * beams + parent).reshape(-1)
    if isinstance(carry, dict) and "memory" in carry:
        rest = {name: part for name, part in carry.items() if name != "memory"}
        return {**_reordered(rest, parent), "memory": carry["memory"]}
    return jax.tree.map(lambda leaf: leaf[rows] if leaf.ndim else leaf, carry)
