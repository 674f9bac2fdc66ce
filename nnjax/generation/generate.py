"""Texts written word by word, in a compiled loop.

The model's state stays on the device and goes from word to word: nothing is read twice. The loop
runs in chunks of words, so that text can be shown while it is written, and one compiled program
serves prompts and texts of any length.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nnjax.errors import UserError
from nnjax.generation.sampling import Sampling
from nnjax.traced import SEEDS, check_number

CHUNK = 64
"""Words that the compiled loop writes at once."""

Callback = Callable[[np.ndarray], None]
"""Takes the newest ids (batch, n): negative where a row has nothing new."""


def generate(
    model: nn.Module,
    variables: Any,
    prompts: Sequence[Sequence[int]],
    length: int,
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    end: int | None = None,
    chunk: int = CHUNK,
    callback: Callback | None = None,
) -> np.ndarray:
    """Continues texts with a language model.

    Args:
      model: with ``start(batch, length)`` and ``advance(carry, tokens)``.
      variables: of the model.
      prompts: ids of each text so far, of any lengths. An empty one leaves the first word to what
        the model expects after no word at all. A row's result depends on its number, its prompt and
        the seed alone.
      length: how many words to add to each.
      seed: of the draws.
      sampling: how words are drawn; plainly from the model's distribution when None.
      end: the id with which a text ends, if there is one.
      chunk: words that the compiled loop writes at once; each number compiles anew.
      callback: called with every chunk as soon as it is written.

    Returns:
      int32 (batch, length), the new words; negative from the end of a text on, which is left out.

    Raises:
      UserError: there are no prompts, ``length`` is not positive, or the model cannot generate.
    """
    _check_writes(model, "batch", "answer")
    prompts = [list(prompt) or [-1] for prompt in prompts]
    if not prompts:
        raise UserError("there is no prompt to continue; give at least one, which may be empty")
    longest = max(len(prompt) for prompt in prompts)
    begin = functools.partial(_begin, model, batch=len(prompts), length=longest - 1 + length)
    writing = _Writing(length, seed, sampling or Sampling(), end, chunk, callback)
    return _write(model, variables, begin, prompts, writing)


def answer(
    model: nn.Module,
    variables: Any,
    source: Any,
    length: int,
    *,
    start: int,
    end: int,
    seed: int = 0,
    sampling: Sampling | None = None,
    chunk: int = CHUNK,
    callback: Callback | None = None,
) -> np.ndarray:
    """Writes what belongs to a source: the translation of a sentence, the caption of an image.

    Args:
      model: with ``start(source, length)`` and ``advance(carry, tokens)``.
      variables: of the model.
      source: as the model takes it: ids (batch, S), negative after their end, or images.
      length: the most words of an answer.
      start: the id with which every target begins.
      end: the id with which it ends.
      seed: of the draws.
      sampling: how words are drawn; always the likeliest when None.
      chunk: words that the compiled loop writes at once; each number compiles anew.
      callback: called with every chunk as soon as it is written.

    Returns:
      int32 (batch, length), without start and end; negative from the end on.

    Raises:
      UserError: ``length`` is not positive, or the model cannot generate.
    """
    _check_writes(model, "source", "generate")
    source = jax.device_put(source)
    begin = functools.partial(_read, model, source=source, length=length)
    writing = _Writing(length, seed, sampling or Sampling(temperature=0), end, chunk, callback)
    return _write(model, variables, begin, [[start]] * len(source), writing)


def _check_writes(model: nn.Module, begins_with: str, other: str) -> None:
    """Refuses a model that writes nothing, or begins with what the ``other`` function gives it."""
    name = type(model).__name__
    if not hasattr(model, "start") or not hasattr(model, "advance"):
        raise UserError(f"a {name} cannot generate; give a model that has start and advance")
    if begins_with not in inspect.signature(model.start).parameters:
        raise UserError(f"a {name} does not begin with a {begins_with}; call {other} instead")


class _Writing(NamedTuple):
    """How a text is written; see ``generate``."""

    length: int
    seed: int
    sampling: Sampling
    end: int | None
    chunk: int
    callback: Callback | None


def _write(
    model: nn.Module,
    variables: Any,
    begin: Callable[..., Any],
    prompts: list[list[int]],
    writing: _Writing,
) -> np.ndarray:
    """Runs the loop chunk by chunk; ``begin(variables=..., first=..., seed=...)`` starts it."""
    length, seed, sampling, end, chunk, callback = writing
    check_number("number of words to write", length, at_least=1)
    check_number("number of words in a chunk", chunk, at_least=1)
    check_number("seed", seed, at_least=0, below=SEEDS)
    given = np.array([len(prompt) for prompt in prompts])
    # Reading a word writes the next: the first read is given, the last written is not read.
    steps = int(given.max()) - 1 + length
    forced = np.full((len(prompts), -(-steps // chunk) * chunk), -1, np.int32)
    for row, prompt in zip(forced, prompts, strict=True):
        row[: len(prompt) - 1] = prompt[1:]
    first = np.array([prompt[0] for prompt in prompts], np.int32)
    loop = begin(
        variables=variables, first=jax.device_put(first), seed=jax.device_put(np.uint32(seed))
    )
    written = np.full((len(prompts), length), -1, np.int32)
    for begun in range(0, steps, chunk):
        column = jax.device_put(forced[:, begun : begun + chunk])
        loop, ids = _advance(model, variables, loop, column, sampling=sampling, end=end)
        ids = np.array(jax.device_get(ids))
        # Where each id goes: prompts of different lengths end in different columns.
        place = np.arange(begun, begun + chunk) - (given[:, None] - 1)
        new = (place >= 0) & (place < length)
        ids[~new] = -1
        written[np.nonzero(new)[0], place[new]] = ids[new]
        if callback is not None:
            callback(ids[:, : steps - begun])
        if end is not None and bool(jax.device_get(jnp.all(loop["done"]))):
            break
    return written


@functools.partial(jax.jit, static_argnames=("model", "batch", "length"))
def _begin(model: nn.Module, *, variables, first, seed, batch: int, length: int):
    return _loop(model.apply(variables, batch, length, method="start"), first, seed)


@functools.partial(jax.jit, static_argnames=("model", "length"))
def _read(model: nn.Module, *, variables, first, seed, source, length: int):
    return _loop(model.apply(variables, source, length, method="start"), first, seed)


def _loop(carry: Any, first: jax.Array, seed: jax.Array) -> dict[str, Any]:
    """What goes round: the model's carry, the word to read, who has ended, and the draws' keys."""
    rows = jnp.arange(len(first))
    return {
        "carry": carry,
        "token": first,
        "done": jnp.zeros(first.shape, bool),
        "step": jnp.zeros((), jnp.int32),
        "keys": jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), rows),
    }


@functools.partial(jax.jit, static_argnames=("model", "sampling", "end"))
def _advance(model: nn.Module, variables, loop, forced, *, sampling: Sampling, end: int | None):
    """Writes a chunk: the forced ids (batch, chunk) where not negative, else what is drawn.

    Returns:
      The loop after, and the ids drawn (batch, chunk), negative where forced or ended.
    """

    def step(loop, forced):
        result: Any = model.apply(variables, loop["carry"], loop["token"], method="advance")
        carry, logits = result
        keys = jax.vmap(jax.random.fold_in, (0, None))(loop["keys"], loop["step"])
        drawn = sampling(keys, logits)
        free, done = forced < 0, loop["done"]
        if end is not None:
            done = done | (free & (drawn == end))
        token = jnp.where(free, drawn, forced)
        loop = {**loop, "carry": carry, "token": token, "done": done, "step": loop["step"] + 1}
        return loop, jnp.where(free & ~done, drawn, -1)

    loop, ids = jax.lax.scan(step, loop, forced.T)
    return loop, ids.T
