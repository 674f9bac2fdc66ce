"""Writes texts word by word, in a compiled loop.

The model's state stays on the device and is passed from word to word, so that no word is read
twice. The loop runs in chunks of words: text can be shown while it is written, and one compiled
program serves prompts and texts of any length.
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
"""Number of words that one call of the compiled loop writes."""

Callback = Callable[[np.ndarray], None]
"""A function of the newest ids (batch, n), which are negative where a row has no new word."""


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

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.generation import generate
      >>> from nnjax.layers.cells import GRUCell
      >>> from nnjax.layers.recurrence.recurrent import Recurrent
      >>> from nnjax.models import LanguageModel
      >>> model = LanguageModel(Recurrent(GRUCell(4)), vocabulary=6)
      >>> variables = model.init(jax.random.key(0), jnp.array([[1, 2]]))
      >>> generate(model, variables, [[1, 2], [3]], length=5).shape
      (2, 5)

    Args:
      model: with ``start(batch, length)`` and ``advance(carry, tokens)``.
      variables: of the model.
      prompts: ids of each text so far, of any lengths. After an empty prompt the model writes the
        first word from no word at all. The result of a row depends only on its number, its prompt
        and the seed.
      length: number of words to add to each text.
      seed: of the draws.
      sampling: draws the words; None draws from the model's distribution.
      end: the id that ends a text, if there is one.
      chunk: number of words that one call of the compiled loop writes; each number is compiled
        separately.
      callback: called with every chunk as soon as it is written.

    Returns:
      int32 (batch, length), the new words, without the end; negative from the end of a text on.

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
    """The target sequence for each source: the translation of a sentence, the caption of an image.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.generation import answer
      >>> from nnjax.layers.cells import GRUCell
      >>> from nnjax.layers.recurrence.recurrent import Recurrent
      >>> from nnjax.models import EncoderDecoder
      >>> cell = Recurrent(GRUCell(4))
      >>> model = EncoderDecoder(cell, cell, vocabulary=6, target_vocabulary=6)
      >>> source = jnp.array([[2, 3, 4], [5, 2, -1]])
      >>> variables = model.init(jax.random.key(0), {"source": source, "target": source})
      >>> answer(model, variables, source, 5, start=0, end=1).shape
      (2, 5)

    Args:
      model: with ``start(source, length)`` and ``advance(carry, tokens)``.
      variables: of the model.
      source: as the model takes it: ids (batch, S), negative after their end, or images.
      length: largest number of words of an answer.
      start: the id that every target begins with.
      end: the id that every target ends with.
      seed: of the draws.
      sampling: draws the words; None always takes the likeliest word.
      chunk: number of words that one call of the compiled loop writes; each number is compiled
        separately.
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
    """Checks that a model can write, and that its ``start`` takes what this function gives it.

    Args:
      model: to write with.
      begins_with: the argument of ``start``.
      other: the function to call for a model with another argument.

    Raises:
      UserError: the model cannot write, or begins with another argument.
    """
    name = type(model).__name__
    if not hasattr(model, "start") or not hasattr(model, "advance"):
        raise UserError(f"a {name} cannot generate; give a model that has start and advance")
    if begins_with not in inspect.signature(model.start).parameters:
        raise UserError(f"a {name} does not begin with a {begins_with}; call {other} instead")


class _Writing(NamedTuple):
    """The options of writing a text, as :func:`generate` takes them."""

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
    """The words that the loop writes; ``begin(variables, first, seed)`` gives its first state."""
    length, seed, sampling, end, chunk, callback = writing
    check_number("number of words to write", length, at_least=1)
    check_number("number of words in a chunk", chunk, at_least=1)
    check_number("seed", seed, at_least=0, below=SEEDS)
    given = np.array([len(prompt) for prompt in prompts])
    # Each step reads one word and writes the next; the last written word is not read.
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
        # The column of each id in the result: prompts of different lengths end in different steps.
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
    """The state of the loop: carry, next word to read, rows that have ended, keys of the draws."""
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
    """Writes one chunk of words.

    Args:
      model: to write with.
      variables: of the model.
      loop: the state of the loop.
      forced: ids (batch, chunk) of the prompts; negative where a word is to be drawn.
      sampling: draws the words.
      end: the id that ends a text, if there is one.

    Returns:
      The next state of the loop, and the drawn ids (batch, chunk), negative where an id was forced
      or the text had ended.
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
