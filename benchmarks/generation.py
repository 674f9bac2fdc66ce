"""Characters a second that models generate: ``python -m benchmarks.generation``.

Characters are sampled at temperature 0.8. PyTorch runs the usual Python loop: a step of the same
recurrent network, a softmax, and a draw, without gradients.
"""

import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

from benchmarks import machine
from benchmarks.table import ratio, report, save, table
from nnjax.generation import Sampling, generate
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import LanguageModel, Transformer

VOCABULARY = 65
TEMPERATURE = 0.8
MODELS: dict[str, Any] = {
    "GRU, 512": LanguageModel(Recurrent(GRUCell(512)), vocabulary=VOCABULARY),
    "LSTM, 2 x 256": LanguageModel(Recurrent(LSTMCell(256), layers=2), vocabulary=VOCABULARY),
    "transformer, 4 x 128": Transformer(layers=4, features=128, vocabulary=VOCABULARY),
}
OUTPUT = machine.result_page("generation")


@dataclass(frozen=True)
class Options:
    """Times the generation of text, without compilation.

    Attributes:
      length: characters of each text.
      texts: numbers of texts that are generated at once.
      rounds: measurements, of which the table has the median.
      threads: processors that every library may use; 0 is all.
      output: the Markdown file.
    """

    length: int = 1024
    texts: tuple[int, ...] = (1, 16)
    rounds: int = 5
    threads: int = 0
    output: Path = OUTPUT


def main(options: Options) -> None:
    """Times every model and writes the page."""
    machine.use_threads(options.threads)
    command = shlex.join(["python", "-m", "benchmarks.generation", *sys.argv[1:]])
    rows = [row(name, texts, options) for name in MODELS for texts in options.texts]
    heads = ["", "texts at once", "characters a second", "PyTorch", "ratio"]
    save(report("Writing text", command, [table(heads, rows)]), options.output)


def row(name: str, texts: int, options: Options) -> list[str]:
    """Returns a row: characters a second of one model in nnjax and, if possible, in PyTorch."""
    ours = characters_per_second(nnjax_writer(MODELS[name]), texts, options)
    step = torch_writer(name)
    theirs = None if step is None else characters_per_second(step, texts, options)
    shown = "" if theirs is None else f"{theirs:,.0f}"
    return [name, str(texts), f"{ours:,.0f}", shown, ratio(theirs and ours / theirs)]


def characters_per_second(write: Callable[[int, int], None], texts: int, options: Options) -> float:
    """Returns the median over the rounds, after one that compiles."""
    seconds = []
    for _ in range(options.rounds + 1):
        began = time.perf_counter()
        write(texts, options.length)
        seconds.append(time.perf_counter() - began)
    return texts * options.length / statistics.median(seconds[1:])


def nnjax_writer(model: Any) -> Callable[[int, int], None]:
    """Returns a function ``(texts, length)`` that generates that number of texts with nnjax."""
    variables = model.init(jax.random.key(0), np.zeros((1, 4), np.int32))
    sampling = Sampling(temperature=TEMPERATURE)

    def write(texts: int, length: int) -> None:
        generate(model, variables, [[1]] * texts, length=length, sampling=sampling)

    return write


def torch_writer(name: str) -> Callable[[int, int], None] | None:
    """Likewise with PyTorch; None if the model is not recurrent or PyTorch is not installed."""
    if not isinstance(MODELS[name], LanguageModel) or find_spec("torch") is None:
        return None
    import torch

    units, layers = (512, 1) if name.startswith("GRU") else (256, 2)
    kind = torch.nn.GRU if name.startswith("GRU") else torch.nn.LSTM
    network, last = kind(VOCABULARY, units, layers), torch.nn.Linear(units, VOCABULARY)

    @torch.inference_mode()
    def write(texts: int, length: int) -> None:
        token, state = torch.ones(texts, dtype=torch.long), None
        for _ in range(length):
            one_hot = torch.nn.functional.one_hot(token, VOCABULARY).float()
            outputs, state = network(one_hot[None], state)
            chances = torch.softmax(last(outputs[0]) / TEMPERATURE, dim=-1)
            token = torch.multinomial(chances, 1)[:, 0]

    return write


if __name__ == "__main__":
    main(tyro.cli(Options))
