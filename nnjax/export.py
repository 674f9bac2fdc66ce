"""Trained models for use elsewhere: parameters as safetensors, the whole function as StableHLO.

* ``model.safetensors``: every parameter by its name, such as "hidden1/kernel". Many languages can
  read this file. Other variables of a model, such as batch statistics, are under the name of their
  collection. :func:`load_parameters` and :func:`import_parameters` read the file back.
* ``model.stablehlo``: the function from inputs as the data stores them (uint8 images, for example)
  to predictions, with preprocessing and parameters inside, for any batch size, as ``jax.export``
  writes it. :func:`load_function` reads it back; it needs JAX, but neither Flax nor nnjax.
* ``model.json``: shapes, dtypes, classes and platforms, and the SHA-256 of the function.

A convolution takes the formulation that is fastest on the machine where the function is exported.
The function runs on every platform that ``model.json`` names, but it contains the GPU's own
convolutions only if it was exported on a machine with a GPU.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nnjax import parameters
from nnjax.data.dataset import Described, Known
from nnjax.errors import UserError, nearest
from nnjax.learners.state import State
from nnjax.runs import json_files

PARAMETERS, FUNCTION, DESCRIPTION = "model.safetensors", "model.stablehlo", "model.json"

PLATFORMS = ("cpu", "cuda", "tpu")

DISK_ADVICE = "choose another folder"
"""The advice in the error where the disk is full or read-only."""

CHECKED_EXAMPLES = 5
"""Examples of random inputs that the reloaded function is compared on."""

TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}
"""The largest difference between outputs, absolute or relative: two programs round differently."""


def export(
    learner: Any, state: State, data: Known, folder: Path, *, overwrite: bool = False
) -> list[Path]:
    """Writes a trained model, and checks that the files reload to the same predictions.

    Either all files are written, or the files of an earlier export stay as they were.

    Example:
      >>> import jax, numpy as np
      >>> from pathlib import Path
      >>> from nnjax.data import Dataset
      >>> from nnjax.export import export, load_function
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> train = {"inputs": np.zeros((4, 2), np.float32), "targets": np.zeros(4, np.int32)}
      >>> data = Dataset({"train": train}, ("cat", "dog"))
      >>> learner = Supervised(MLP(features=(), outputs=2))
      >>> state = learner.init(jax.random.key(0), data.example())
      >>> files = export(learner, state, data, Path("exported"))
      >>> load_function(files[1])(np.zeros((3, 2), np.float32)).shape
      (3, 2)

    Args:
      learner: with ``predict(state, inputs)``.
      state: the trained state.
      data: tells how inputs are stored and preprocessed; a :class:`~nnjax.data.Spec` suffices.
      folder: to write into.
      overwrite: replace the files of an earlier export.

    Returns:
      The files written: parameters, function and description.

    Raises:
      UserError: the folder holds an export, the disk is full or read-only, the model cannot be
        exported, or the reloaded model gives other predictions.
    """
    files = [Path(folder) / name for name in (PARAMETERS, FUNCTION, DESCRIPTION)]
    for file in files:
        if file.exists() and not overwrite:
            raise UserError(f"{file} exists already; choose another folder (--to), or --overwrite")
        if file.is_dir():
            raise UserError(f"{file} is a folder; choose another folder (--to) to export to")
    if not hasattr(learner, "predict"):
        name = type(learner).__name__
        raise UserError(f"a {name} predicts nothing to export; give it predict(state, inputs)")
    state = jax.device_put(state, jax.local_devices()[0])
    stored = data.stored["inputs"]

    def function(inputs: Any) -> jax.Array:
        return learner.predict(state, data.prepare({"inputs": inputs})["inputs"])

    exported = _lower(function, stored)
    serialized = bytes(exported.serialize())
    description = _describe(exported, data) | {"sha256": _sha256(serialized)}
    contents = (
        _pack(learner, state),
        serialized,
        json.dumps(description, indent=2).encode() + b"\n",
    )
    with _unfinished(files) as unfinished:
        for file, new, content in zip(files, unfinished, contents, strict=True):
            _write(file, new, content)
        _check(learner, state, data, unfinished)
        _put_in_place(unfinished, files)
    return files


def evaluation_params(learner: Any, state: State) -> Any:
    """The parameters that a learner predicts with: the average, where the optimizer keeps one.

    Example:
      >>> import jax, numpy as np
      >>> from nnjax.export import evaluation_params
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> learner = Supervised(MLP(features=(), outputs=2))
      >>> batch = {"inputs": np.zeros((4, 3), np.float32), "targets": np.zeros(4, np.int32)}
      >>> state = learner.init(jax.random.key(0), batch)
      >>> evaluation_params(learner, state)["output"]["kernel"].shape
      (2, 3)
    """
    optimizer = getattr(learner, "optimizer", None)
    if optimizer is None:
        return state.params
    return optimizer.evaluation_params(state.params, state.optimizer_state)


# Reading -----------------------------------------------------------------------------------------


def load_parameters(file: Path) -> dict[str, Any]:
    """Reads a safetensors file as nested dictionaries of NumPy arrays.

    Example:
      >>> import numpy as np
      >>> from pathlib import Path
      >>> from safetensors.numpy import save_file
      >>> from nnjax.export import load_parameters
      >>> save_file({"hidden1/bias": np.zeros(3, np.float32)}, "model.safetensors")
      >>> load_parameters(Path("model.safetensors"))["hidden1"]["bias"].tolist()
      [0.0, 0.0, 0.0]

    Args:
      file: with names such as "hidden1/kernel", which becomes ``["hidden1"]["kernel"]``.

    Raises:
      UserError: the file is missing or damaged.
    """
    tree: dict[str, Any] = {}
    for name, array in _read_arrays(file)[0].items():
        *folders, last = name.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or last in place:
            raise UserError(f"{file} is damaged: '{name}' is both an array and a folder of arrays")
        place[last] = array
    return tree


def import_parameters(file: Path, params: Any) -> Any:
    """A model's parameters with the numbers of a safetensors file.

    Example:
      >>> import jax.numpy as jnp
      >>> from pathlib import Path
      >>> from safetensors.flax import save_file
      >>> from nnjax.export import import_parameters
      >>> save_file({"output/bias": jnp.ones(2)}, "model.safetensors")
      >>> import_parameters(Path("model.safetensors"), {"output": {"bias": jnp.zeros(2)}})
      {'output': {'bias': Array([1., 1.], dtype=float32)}}

    Args:
      file: as :func:`export` writes it, or any file with the same names.
      params: the model's parameters, freshly drawn or as shapes: they determine names, shapes and
        dtypes. Collections of an export that are not in ``params``, such as batch statistics, are
        left out; give ``{**params, **model_state}`` to import them too.

    Returns:
      A tree like ``params``.

    Raises:
      UserError: the file is missing or damaged, or its names or shapes are not the model's.
    """
    arrays, collections = _read_arrays(file)
    names = parameters.names(params)
    for name in arrays:
        if name not in names and name.split("/")[0] not in collections:
            raise UserError(f"{file} holds '{name}', which the model has not{nearest(name, names)}")

    def pick(path: tuple, leaf: Any) -> jax.Array:
        name = parameters.name(path)
        if name not in arrays:
            raise UserError(f"{file} lacks '{name}' of the model{nearest(name, arrays)}")
        found = arrays[name]
        if found.shape != leaf.shape:
            raise UserError(f"'{name}' in {file} is {found.shape}, that of the model {leaf.shape}")
        return jax.numpy.asarray(found, leaf.dtype)

    return jax.tree.map_with_path(pick, params)


def load_function(file: Path) -> Callable[[Any], jax.Array]:
    """The function of ``model.stablehlo``, from stored inputs (batch, ...) to predictions.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from pathlib import Path
      >>> from nnjax.export import load_function
      >>> double = jax.export.export(jax.jit(lambda x: 2 * x))(jnp.ones(3))
      >>> _ = Path("double.stablehlo").write_bytes(double.serialize())
      >>> load_function(Path("double.stablehlo"))(jnp.ones(3))
      Array([2., 2., 2.], dtype=float32)

    Args:
      file: as :func:`export` writes it.

    Returns:
      A function that may be called and jitted, with any batch size from 1.

    Raises:
      UserError: the file is missing or damaged, or is not what ``model.json`` beside it describes.
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    description = json_files.read_or_nothing(Path(file).with_name(DESCRIPTION))
    # model.json describes the function under its original name only.
    if Path(file).name == FUNCTION and description.get("sha256") not in (None, _sha256(content)):
        raise UserError(
            f"{file} is damaged or of another export: its SHA-256 is not that in {DESCRIPTION}; "
            "export the model again"
        )
    try:
        exported = jax.export.deserialize(bytearray(content))
    # flatbuffers raises many kinds of errors, depending on where the damage is.
    except Exception as error:
        raise UserError(f"{file} is damaged or no exported function: {error}") from error
    return exported.call


UNKNOWN = "F8"
"""How the names of dtypes begin that NumPy's part of safetensors does not read."""


def _read_arrays(file: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of a safetensors file, and the names of its collections beside parameters."""
    from safetensors import SafetensorError, safe_open

    if Path(file).exists() and not Path(file).is_file():
        raise UserError(f"cannot read {file}: it is not a regular file")
    arrays = {}
    try:
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118
                dtype = str(opened.get_slice(name).get_dtype())
                if dtype.startswith(UNKNOWN):
                    raise UserError(
                        f"'{name}' in {file} holds numbers of the type {dtype}, which nnjax does "
                        "not read; save it as F16, BF16 or F32"
                    )
                arrays[name] = opened.get_tensor(name)
            metadata = opened.metadata() or {}
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f"{file} is damaged or no safetensors file: {error}") from error
    try:
        collections = json.loads(metadata.get("collections", "[]"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is damaged: its metadata is not JSON ({error})") from error
    if not isinstance(collections, list) or not all(isinstance(one, str) for one in collections):
        raise UserError(f"{file} is damaged: its metadata lists no names of collections")
    return arrays, collections


# Writing -----------------------------------------------------------------------------------------


def _lower(function: Callable, stored: Any) -> Any:
    """Exports a function of (batch, *stored) for every platform, else for this machine's alone."""
    (batch,) = jax.export.symbolic_shape("batch")
    inputs = jax.tree.map(lambda one: jax.ShapeDtypeStruct((batch, *one.shape), one.dtype), stored)
    here = jax.default_backend().replace("gpu", "cuda")
    failure = None
    for platforms in (PLATFORMS, (here,)):
        try:
            with _without_tracebacks():
                return jax.export.export(jax.jit(function), platforms=platforms)(inputs)
        # JAX raises many kinds of errors where a primitive has no rule for a platform or shape.
        except Exception as error:
            failure = error
    reason = str(failure).strip().partition("\n")[0]
    if "_DimExpr" in reason:
        reason += " (the size of a batch is no number there: write x.shape[0] or -1, not len(x))"
    raise UserError(f"this model cannot be exported to StableHLO: {reason}") from failure


@contextlib.contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keeps source files and the functions of the caller out of an exported function.

    JAX records the traceback of every operation, from the script of the caller down.
    """
    options = {
        "jax_hlo_source_file_canonicalization_regex": ".*",
        "jax_include_full_tracebacks_in_locations": False,
    }
    before = {option: getattr(jax.config, option) for option in options}
    for option, value in options.items():
        jax.config.update(option, value)
    try:
        yield
    finally:
        for option, value in before.items():
            jax.config.update(option, value)


def _pack(learner: Any, state: State) -> bytes:
    """The parameters and the model's state in the format of safetensors."""
    from safetensors.numpy import save

    tree = {**evaluation_params(learner, state), **state.model_state}
    arrays = {
        # A copy in C order: safetensors writes the bytes in the order of the memory.
        parameters.name(path): np.array(leaf, order="C")
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
    return save(arrays, {"format": "jax", "collections": json.dumps(list(state.model_state))})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _describe(exported: Any, data: Known) -> dict[str, Any]:
    """What a caller of the exported function needs to know, as ``model.json`` says it."""

    def describe(array: Any) -> dict[str, Any]:
        shape = [size if isinstance(size, int) else str(size) for size in array.shape]
        return {"shape": shape, "dtype": str(array.dtype)}

    offset = data.preprocess.offset if isinstance(data, Described) and data.preprocess else ()
    return {
        "inputs": jax.tree.map(describe, exported.in_tree.unflatten(exported.in_avals)[0][0]),
        "outputs": describe(exported.out_avals[0]),
        "classes": data.classes and list(data.classes),
        # The source subtracts these numbers in 64 bits; the function takes the differences.
        **({"offset": list(offset)} if offset else {}),
        "platforms": list(exported.platforms),
        "jax": jax.__version__,
    }


@contextlib.contextmanager
def _unfinished(files: list[Path]) -> Iterator[list[Path]]:
    """Names of hidden files to write first; the files that are left at the end are removed."""
    unfinished = [file.with_name(f".{file.name}.unfinished") for file in files]
    try:
        yield unfinished
    finally:
        for one in unfinished:
            # An error of the removal must not replace the error that led here.
            with contextlib.suppress(OSError):
                one.unlink()


def _write(file: Path, unfinished: Path, content: bytes) -> None:
    """Writes a new file that is to become ``file``."""
    with json_files.disk_errors(file, DISK_ADVICE):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Left by an export that was killed, or a link to a file elsewhere.
        unfinished.unlink(missing_ok=True)
        # "x" creates the file, and follows no link that appears meanwhile.
        with unfinished.open("xb") as new:
            new.write(content)


def _put_in_place(unfinished: list[Path], files: list[Path]) -> None:
    """Renames the new files to their final names; if one fails, restores the earlier files.

    Parameters and function of two different models must never lie side by side.
    """
    earlier = {file: file.with_name(f".{file.name}.earlier") for file in files if file.exists()}
    put = []
    try:
        for file, aside in earlier.items():
            with json_files.disk_errors(file, DISK_ADVICE):
                file.replace(aside)
        for new, file in zip(unfinished, files, strict=True):
            with json_files.disk_errors(file, DISK_ADVICE):
                new.replace(file)
            put.append(file)
    except BaseException:
        for file in put:
            file.unlink()
        for file, aside in earlier.items():
            if aside.exists():
                aside.replace(file)
        raise
    for aside in earlier.values():
        aside.unlink()


# Checking ----------------------------------------------------------------------------------------


def _check(learner: Any, state: State, data: Known, files: list[Path]) -> None:
    """Checks that the written files reload to the model that was saved.

    Raises:
      UserError: a parameter or a prediction differs.
    """
    stored = data.stored["inputs"]
    inputs = _examples(stored, None if data.vocabulary is None else len(data.vocabulary))
    wanted = np.asarray(learner.predict(state, data.prepare({"inputs": inputs})["inputs"]))
    tolerance = TOLERANCE[getattr(learner, "precision", "float32")]
    tree = {**evaluation_params(learner, state), **state.model_state}
    for left, right in zip(
        jax.tree.leaves(tree), jax.tree.leaves(import_parameters(files[0], tree)), strict=True
    ):
        if not np.array_equal(left, right, equal_nan=True):
            raise UserError(f"{PARAMETERS} reloads to other parameters than were saved")
    found = np.asarray(load_function(files[1])(inputs))
    if not np.allclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
        apart = np.max(np.abs(found - wanted))
        raise UserError(f"{FUNCTION} reloads to other predictions, up to {apart:.2g} apart")


def _examples(stored: Any, vocabulary: int | None) -> Any:
    """Random inputs of stored shapes and dtypes; integers are ids of words, if there are words."""
    random = np.random.default_rng(0)

    def draw(one: jax.ShapeDtypeStruct) -> np.ndarray:
        shape = (CHECKED_EXAMPLES, *one.shape)
        if one.dtype == bool:
            return random.random(shape) < 0.5
        if np.issubdtype(one.dtype, np.integer):
            most = min(255, np.iinfo(one.dtype).max)
            return random.integers(0, vocabulary or most, shape, one.dtype)
        return random.normal(size=shape).astype(one.dtype)

    return jax.tree.map(draw, stored)
