"""Windows of a text, cut from one array of ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from jax.typing import ArrayLike

from nnjax.data.conforming import check_inputs
from nnjax.data.dataset import Batch, Dataset, Spec, library
from nnjax.data.order import epoch_order
from nnjax.data.preprocessing import Preprocess
from nnjax.data.vocabulary import Vocabulary, smallest
from nnjax.errors import UserError
from nnjax.traced import check_number

Targets = Literal["all", "last"]


@dataclass(frozen=True)
class Windows(Dataset):
    """A text for next-word prediction. No window is stored: ``take`` cuts windows from the text.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import Vocabulary
      >>> from nnjax.data.text.windows import Windowing
      >>> vocabulary = Vocabulary(tuple("abcdef"))
      >>> ids = vocabulary.encode("abcdefabcdef")
      >>> data = Windowing(length=3, validation=0, test=0).windows(ids, vocabulary)
      >>> batch = data.take(data.split("train"), np.array([0, 1], np.int32))
      >>> batch["inputs"].tolist(), batch["targets"].tolist()
      ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 0]])

    Attributes:
      splits: for each split ``tokens`` (n,) unsigned or int32, the text; ``steps`` int32
        (length + 1,), counted from 0; and of int32 () ``windows``, how many there are, ``stride``,
        from the start of one to the start of the next, and ``context``, how many words of each are
        read but not predicted. With ``fresh``, bool (windows,), the windows are chunks of lanes,
        and ``fresh`` tells which of them begin a lane.
      preprocess: None, which leaves ids as they are.
      targets: predict the word after every word of a window, or only the word after the "last".
      lanes: number of contiguous pieces of the training text that are read in parallel, chunk after
        chunk; None draws windows in random order.
    """

    preprocess: Preprocess | None = None
    targets: Targets = "all"
    lanes: int | None = None

    def __post_init__(self):
        """Checks nothing: the arrays of a split differ in length here."""

    @property
    def stored(self) -> Mapping[str, Any]:
        """Shape and dtype of one training example as taken, by the array's name."""
        arrays = self.split("train")
        length = len(arrays["steps"]) - 1
        tokens = jax.ShapeDtypeStruct((length,), np.int32)
        fresh = jax.ShapeDtypeStruct((), np.bool_)
        return {
            "inputs": {"tokens": tokens, "fresh": fresh} if "fresh" in arrays else tokens,
            "targets": tokens if self.targets == "all" else jax.ShapeDtypeStruct((), np.int32),
        }

    def size(self, name: str) -> int:
        """Number of windows of a split in one pass; 0 where the data has no such split."""
        return int(self.splits[name]["windows"]) if name in self.splits else 0

    def conform(self, spec: Spec) -> "Windows":
        """The same windows, if they are as a model trained on ``spec`` expects them.

        Raises:
          UserError: the windows have another length.
        """
        check_inputs(spec.stored, self.stored, spec.preprocess)
        return self

    def take(self, arrays: Batch, index: ArrayLike) -> Batch:
        """Cuts windows from the text of a split: on the host if all arrays are NumPy's, else pure.

        Args:
          arrays: of a split.
          index: int32 (batch,). With n windows and stride s, index i is the window that starts at
            word s (i mod n) + floor(i / n).

        Returns:
          ``inputs`` int32 (batch, length), or a dict of these as ``tokens`` and of ``fresh`` bool
          (batch,); ``targets`` int32 (batch, length), or (batch,) for "last". Ids beyond the end of
          the text, and targets that are context, are negative.
        """
        xp = library(arrays["tokens"], index)
        index = xp.maximum(xp.asarray(index), 0)
        shift, number = xp.divmod(index, arrays["windows"])
        steps = xp.asarray(arrays["steps"])[None, :]
        places = (number * arrays["stride"] + shift)[:, None] + steps
        text = xp.asarray(arrays["tokens"])
        ids = xp.take(text, places, mode="clip").astype(np.int32)
        ids = xp.where(places < len(text), ids, -1)
        inputs, targets = ids[:, :-1], ids[:, 1:]
        targets = xp.where(steps[:, :-1] < arrays["context"], -1, targets)
        if "fresh" in arrays:
            inputs = {"tokens": inputs, "fresh": xp.take(arrays["fresh"], number)}
        return {"inputs": inputs, "targets": targets if self.targets == "all" else targets[:, -1]}

    def order(self, seed: int, epoch: int, batch_size: int) -> np.ndarray:
        """The order in which an epoch goes through the windows of the training text.

        Without lanes the order is random, and all windows of an epoch start at the same random
        distance from multiples of the stride, so that windows of many epochs start at every word.
        With lanes, update k takes the k-th chunk of every lane.

        Args:
          seed: of the data order.
          epoch: counted from 0.
          batch_size: examples of an update.

        Returns:
          int32 (windows,), as :meth:`take` takes them.

        Raises:
          UserError: the number of lanes differs from the number of examples of an update.
        """
        windows = self.size("train")
        if self.lanes is not None:
            check_lanes(self.lanes, batch_size)
            return lane_order(windows, self.lanes)
        arrays = self.split("train")
        shifts = min(int(arrays["stride"]), len(arrays["tokens"]) - len(arrays["steps"]) + 1)
        drawn = epoch_order(shifts, seed, epoch, stream=1)[0] if shifts > 1 else 0
        return drawn * windows + epoch_order(windows, seed, epoch)


def check_lanes(lanes: int, batch_size: int) -> None:
    """Checks that row k of every batch continues lane k of the text.

    Raises:
      UserError: the number of rows of a batch differs from the number of lanes.
    """
    if batch_size != lanes:
        raise UserError(f"batch_size={batch_size} must be the number of lanes, {lanes}; change one")


def lane_starts(chunks: int, lanes: int) -> np.ndarray:
    """The first chunk of each lane, int32 (lanes,); the first lanes may have one chunk more."""
    whole, more = divmod(chunks, lanes)
    lane = np.arange(lanes, dtype=np.int32)
    return lane * whole + np.minimum(lane, more)


def lane_order(chunks: int, lanes: int) -> np.ndarray:
    """The k-th chunk of every lane, for every k: int32 (chunks,).

    Lane b is row b of each update. The last update may hold the first lanes only.
    """
    starts = lane_starts(chunks, lanes)
    whole, more = divmod(chunks, lanes)
    rows = starts[None, :] + np.arange(whole, dtype=np.int32)[:, None]
    return np.concatenate([rows.ravel(), starts[:more] + whole])


@dataclass(frozen=True, kw_only=True)
class Windowing:
    """How a text is cut into training, validation and test text, and these into windows.

    Attributes:
      length: number of words of a window, from which the model predicts.
      targets: predict the word after every word of a window, or only the word after the "last".
      stride: number of words from the start of one training window to the start of the next; None
        is the length, or 1 if only the last word is predicted.
      lanes: cut the training text into this many contiguous pieces that are read in parallel, and
        carry the model's state from one window to the next (truncated backpropagation through
        time); the batch size must be the same. None draws windows at random and reads each from a
        fresh state.
      evaluation_length: number of words of a window in evaluation; None is the length.
      context: number of words of each window in evaluation that are read but not predicted, because
        an earlier window predicts them. A larger context informs the model better and takes longer.
      validation: fraction of the text to validate on: the part before the test text.
      test: fraction of the text to test on: its end.
    """

    length: int = 100
    targets: Targets = "all"
    stride: int | None = None
    lanes: int | None = None
    evaluation_length: int | None = None
    context: int = 0
    validation: float = 0.05
    test: float = 0.05

    def windows(self, tokens: np.ndarray, vocabulary: Vocabulary) -> Windows:
        """Windows of a text.

        In evaluation every word of a split is predicted once. The first window begins with the last
        words of the split before, from which the first word of the split is predicted.

        Args:
          tokens: ids (n,) of the whole text.
          vocabulary: of these ids.

        Raises:
          UserError: an option is out of range, or the text too short.
        """
        self._check()
        tokens = smallest(tokens, len(vocabulary))
        ends = self._ends(len(tokens))
        splits = {"train": self._train(tokens[: ends["train"]])}
        begin = ends["train"]
        for name in ("validation", "test"):
            if ends[name] > begin:
                splits[name] = self._held_out(tokens, begin, ends[name])
            begin = ends[name]
        return Windows(
            splits,
            vocabulary=vocabulary,
            target_vocabulary=vocabulary,
            targets=self.targets,
            lanes=self.lanes,
        )

    def _check(self) -> None:
        check_number("length", self.length, at_least=1)
        check_number("stride", self.stride, at_least=1)
        check_number("number of lanes", self.lanes, at_least=1)
        check_number("evaluation length", self.evaluation_length, at_least=1)
        check_number("context", self.context, at_least=0, below=self._evaluation_length)
        check_number("part to validate on", self.validation, at_least=0, below=1)
        check_number("part to test on", self.test, at_least=0, below=1)
        if self.validation + self.test >= 1:
            raise UserError(
                f"validation={self.validation} and test={self.test} leave no text to train on"
            )
        if self.lanes is not None and (self.targets == "last" or self.stride is not None):
            raise UserError(
                "lanes are read word by word, each predicted: leave out stride, and targets 'last'"
            )

    @property
    def _evaluation_length(self) -> int:
        return self.length if self.evaluation_length is None else self.evaluation_length

    def _ends(self, words: int) -> dict[str, int]:
        test = int(words * self.test)
        validation = int(words * self.validation)
        return {"train": words - test - validation, "validation": words - test, "test": words}

    def _train(self, tokens: np.ndarray) -> Batch:
        room = len(tokens) - self.length
        if room < 1:
            raise UserError(
                f"{len(tokens)} words to train on make no window of length={self.length} and the "
                "word after it; give more text or a smaller length"
            )
        if self.lanes is not None:
            return self._in_lanes(tokens, self.lanes)
        stride = self.stride or (self.length if self.targets == "all" else 1)
        # As many windows as fit wherever, within a stride, the first of them starts.
        return _split(tokens, self.length, stride, max(1, room // stride))

    def _in_lanes(self, tokens: np.ndarray, lanes: int) -> Batch:
        chunks = (len(tokens) - 1) // self.length
        if chunks < lanes:
            raise UserError(
                f"{len(tokens)} words to train on make {chunks} windows of length={self.length}, "
                f"fewer than lanes={lanes}; take fewer lanes or a smaller length"
            )
        fresh = np.zeros(chunks, np.bool_)
        fresh[lane_starts(chunks, lanes)] = True
        return {**_split(tokens, self.length, self.length, chunks), "fresh": fresh}

    def _held_out(self, tokens: np.ndarray, begin: int, end: int) -> Batch:
        length = self._evaluation_length
        context = self.context if self.targets == "all" else length - 1
        if begin <= context:
            raise UserError(
                f"the {begin} words before the text held out are too few for a context of "
                f"{context}; give more text or a shorter one"
            )
        stride = length - context
        windows = -(-(end - begin) // stride)
        text = tokens[begin - context - 1 : end]
        split = _split(text, length, stride, windows, context)
        if self.lanes is not None:
            split = {**split, "fresh": np.ones(windows, np.bool_)}
        return split


def _split(tokens: np.ndarray, length: int, stride: int, windows: int, context: int = 0) -> Batch:
    """The arrays of a split of :class:`Windows`."""
    return {
        "tokens": tokens,
        "steps": np.arange(length + 1, dtype=np.int32),
        "windows": np.int32(windows),
        "stride": np.int32(stride),
        "context": np.int32(context),
    }
