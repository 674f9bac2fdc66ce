"""Checkpoints: a step's arrays and what goes with them, saved by Orbax while training goes on.

Orbax writes a step into a temporary directory and renames it when it is complete, so a process may
die at any moment. What it does not notice is a changed byte in a complete one: its files therefore
carry checksums, and a checkpoint is restored whole or not at all.

Of several processes that make one run, each calls :meth:`Checkpoints.save` and
:meth:`Checkpoints.restore`. The first one writes: what the devices of the others hold comes to it,
and a checkpoint does not show how many there were. Each reads for itself.
"""

import errno
import functools
import json
import os
import re
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from nnjax.distributed import collectives, devices
from nnjax.errors import UserError
from nnjax.runs import orbax_logging

Arrays = dict[tuple[str, ...], np.ndarray]
"""Arrays by their path in the tree."""

CHECKSUMS = "checksums.json"


class AllDamaged(UserError):
    """No checkpoint is left to go on from.

    Attributes:
      what: which ones are damaged, and why.
    """

    def __init__(self, what: str):
        super().__init__(f"{what}; start the run anew")
        self.what = what


class Checkpoints:
    """The checkpoints of one run: ``<directory>/<step>/``.

    A context manager; leaving it waits for what is being saved. A step holds the items ``arrays``
    (an Orbax tree of NumPy arrays, nested by name) and ``record`` (JSON).
    """

    def __init__(self, directory: Path, *, keep_last: int = 2):
        """Opens a directory of checkpoints; it is made by the first save.

        Args:
          directory: holds the checkpoints and nothing else.
          keep_last: how many of the newest to keep. An older one is deleted only when the one that
            takes its place is complete.
        """
        self._directory = Path(directory).absolute()
        self._keep_last = keep_last
        self._damaged: set[int] = set()
        self._manager: Any = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def save(self, step: int, tree: Any, meta: Mapping[str, Any]) -> None:
        """Copies a state to the host and writes it in the background.

        When this returns the arrays may be donated. One save is written at a time: the call waits
        for the one before. Checkpoints of later steps and damaged ones, which a run resumed from
        an earlier step leaves behind, are renamed to ``set-aside-<step>``. A step that is already
        saved is left as it is. Of several processes the first one writes; all must call this.

        Args:
          step: updates made so far.
          tree: any pytree of arrays, typed PRNG keys among them.
          meta: what to restore beside the arrays, as JSON can hold it.

        Raises:
          UserError: this save or the one before could not be written; what was there is intact.
        """
        self.wait()
        arrays = _copy_to_host(tree)
        if not collectives.is_first():
            return
        record = _seal({"leaves": _describe(tree, arrays), "meta": meta})
        with self._disk_errors():
            manager = self._writer()
            self._set_aside(step)
            if step in _steps(self._directory):
                return
            args = _orbax().args
            items = args.Composite(
                arrays=_array_item().save(_nest(arrays)), record=args.JsonSave(record)
            )
            manager.save(step, args=items, force=True)

    def latest_step(self) -> int | None:
        """The newest complete checkpoint not found to be damaged; None where there is none."""
        return max(set(_steps(self._directory)) - self._damaged, default=None)

    def restore(
        self,
        abstract: Any,
        step: int | None = None,
        on_fallback: Callable[[str], None] = lambda message: None,
    ) -> tuple[int, Any, dict[str, Any]] | None:
        """Reads the newest checkpoint that is whole.

        Args:
          abstract: the tree to be restored, of ``jax.ShapeDtypeStruct`` or arrays. Each array is
            placed by its ``sharding``, on the default device where that is None, whatever devices
            it was saved from.
          step: read this checkpoint and no other.
          on_fallback: called with a sentence for each damaged checkpoint that is passed over.

        Returns:
          (step, tree, meta), or None where nothing was ever saved.

        Raises:
          AllDamaged: every checkpoint is damaged, or the one of ``step`` is.
          UserError: there is none of ``step``, it holds other arrays than ``abstract``, or the
            system does not let it be read.
        """
        self.wait()
        steps = sorted(_steps(self._directory), reverse=True)
        if step is not None and step not in steps:
            present = ", ".join(map(str, steps)) or "none"
            raise UserError(
                f"there is no checkpoint of step {step} in {self._directory}; there are: {present}"
            )
        damages: dict[int, str] = {}
        for candidate in steps if step is None else [step]:
            try:
                arrays, record = self._read(candidate, abstract)
            except _Damaged as damage:
                self._damaged.add(candidate)
                damages[candidate] = str(damage)
                continue
            for damaged, why in damages.items():
                sentence = f"the checkpoint of step {damaged} is damaged ({why})"
                on_fallback(f"{sentence}; falling back to the one before it")
            return candidate, _place(abstract, arrays, record["leaves"]), record["meta"]
        if not damages:
            return None
        which = "every checkpoint" if step is None else f"the checkpoint of step {step}"
        why = damages[min(damages)]
        raise AllDamaged(f"{which} in {self._directory} is damaged ({why})")

    def wait(self) -> None:
        """Waits until what is being saved is complete.

        Raises:
          UserError: it could not be written.
        """
        if self._manager is not None:
            with self._disk_errors():
                self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for what is being saved, then frees Orbax's threads.

        Raises:
          UserError: it could not be written.
        """
        self.wait()
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    # Writing

    def _writer(self) -> Any:
        """Orbax's manager, in a directory free of what a killed process left unfinished."""
        if self._manager is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            for unfinished in self._directory.glob(f"*{_orbax().utils.TMP_DIR_SUFFIX}*"):
                shutil.rmtree(unfinished)
            self._manager = self._open()
        return self._manager

    def _open(self) -> Any:
        ocp = _orbax()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self._keep_last,
            create=False,
            # Where a directory cannot be made in the background, threads of Orbax wait for it for
            # minutes, and the process with them.
            async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
            multiprocessing_options=(alone := _alone()),
        )
        handlers = {
            "arrays": _array_item().handler(multiprocessing_options=alone),
            "record": ocp.JsonCheckpointHandler(multiprocessing_options=alone),
        }
        return ocp.CheckpointManager(self._directory, options=options, item_handlers=handlers)

    def _set_aside(self, step: int) -> None:
        """Renames checkpoints that are damaged or later than ``step``: they are not the newest."""
        moved = {other for other in _steps(self._directory) if other > step} | self._damaged
        _rename_aside(self._directory, moved)
        self._damaged.clear()
        if moved:
            self._manager.reload()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Turns what Orbax raises into a sentence, and drops the manager that failed."""
        try:
            yield
        except UserError:
            raise
        # TensorStore reports a full disk as a ValueError, other parts as OSError or RuntimeError.
        except Exception as error:
            manager, self._manager = self._manager, None
            with suppress(Exception):
                manager.close()
            raise UserError(
                f"cannot save a checkpoint in {self._directory}: {_reason(error)}; make room there "
                "or choose another --run-dir (what was saved before is intact)"
            ) from error

    # Reading

    def _read(self, step: int, abstract: Any) -> tuple[Arrays, dict[str, Any]]:
        """Reads and checks one checkpoint."""
        args = _orbax().args
        record = _unseal(self._load(step, "record", args.JsonRestore()))
        _check_same_arrays(f"the checkpoint {self._directory / str(step)}", abstract, record)
        arrays: Arrays = {
            tuple(leaf["path"]): np.empty(leaf["stored_shape"], leaf["stored_dtype"])
            for leaf in record["leaves"].values()
        }
        _check_files(self._directory / str(step) / "arrays")
        stored = self._load(step, "arrays", _array_item().restore(_nest(arrays)))
        arrays.update(traverse_util.flatten_dict(stored))
        return arrays, record

    def _load(self, step: int, item: str, how: Any) -> Any:
        with _reading(self._directory / str(step)):
            manager = self._manager or self._open()
            return manager.restore(step, args=_orbax().args.Composite(**{item: how}))[item]


def set_all_aside(directory: Path) -> None:
    """Renames every checkpoint, damaged as it may be, so that a run can begin anew beside them."""
    _rename_aside(directory, _steps(directory))


def _rename_aside(directory: Path, steps: Iterable[int]) -> None:
    for step in steps:
        aside = directory / f"set-aside-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        (directory / str(step)).rename(aside)


def _steps(directory: Path) -> list[int]:
    """The complete checkpoints: Orbax gives a directory its plain number at the very end."""
    try:
        return [int(path.name) for path in directory.iterdir() if path.name.isdecimal()]
    except FileNotFoundError:
        return []


class _Damaged(Exception):
    """A checkpoint is not what was saved."""


@contextmanager
def _reading(checkpoint: Path) -> Iterator[None]:
    """Tells a checkpoint that is damaged from one that the system does not let be read.

    Raises:
      _Damaged: something is missing, or not what was saved.
      UserError: the file may not be read, the disk fails and the like.
    """
    try:
        yield
    # A damaged file can make Orbax and TensorStore raise anything.
    except Exception as error:
        if _system_error(error) in (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            raise _Damaged(_reason(error)) from error
        raise UserError(
            f"cannot read the checkpoint {checkpoint}: {_reason(error)}; it may be whole, so make "
            "it readable and try again"
        ) from error


# Orbax -------------------------------------------------------------------------------------------


_IMPORTING = threading.RLock()
"""Two threads that import packages which import each other can see them half made."""


@functools.cache
def _orbax() -> Any:
    """``orbax.checkpoint``, imported when needed, as it takes a second, and without its chatter."""
    with _IMPORTING:
        import orbax.checkpoint

    orbax_logging.silence()
    return orbax.checkpoint


class _ArrayItem(NamedTuple):
    """How Orbax handles the item ``arrays``: classes of a handler and of its arguments."""

    handler: Any
    save: Any
    restore: Any


@functools.cache
def _array_item() -> _ArrayItem:
    """Orbax's handler of arrays, which also leaves checksums before the step is complete."""
    ocp = _orbax()

    class Handler(ocp.StandardCheckpointHandler):
        def finalize(self, directory: Any) -> None:
            super().finalize(directory)
            _write_checksums(Path(directory))

    # Orbax finds a handler by the class of its arguments, and the arguments by the handler's class.
    @ocp.args.register_with_handler(Handler, for_save=True)
    class Save(ocp.args.StandardSave):
        pass

    @ocp.args.register_with_handler(Handler, for_restore=True)
    class Restore(ocp.args.StandardRestore):
        pass

    return _ArrayItem(Handler, Save, Restore)


def _alone() -> Any:
    """Orbax's options for a process that neither waits for others nor leaves work to them."""
    options = _orbax().options.MultiprocessingOptions
    if not collectives.several():
        return options()
    process = jax.process_index()
    return options(process, {process}, barrier_sync_key_prefix=f"process-{process}")


def import_in_background() -> None:
    """Begins to import Orbax in a thread, so that the first save need not wait for it."""
    threading.Thread(target=_orbax, name="import-orbax").start()


def _reason(error: BaseException) -> str:
    """The gist of an error in a few words: the system's, where it is a system error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if (number := _system_error(error)) is not None:
        return os.strerror(number)
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]


def _system_error(error: BaseException) -> int | None:
    """The system's number of an error, such as ``errno.ENOSPC``; None where it has none."""
    if isinstance(error, OSError):
        return error.errno
    # TensorStore ends with it: "... No space left on device [os_error_code='28']".
    found = re.search(r"(?:os_error_code=|OS error )'?(\d+)", str(error))
    return int(found[1]) if found else None


# Arrays ------------------------------------------------------------------------------------------


def _paths(tree: Any) -> list[tuple[tuple[str, ...], Any]]:
    """The leaves with their paths, such as ("state", "params", "output", "kernel")."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = [
        (tuple(jax.tree_util.keystr((k,), simple=True) for k in path), x) for path, x in leaves
    ]
    if len({"/".join(path) for path, _ in named}) < len(named):
        raise ValueError("two leaves of the tree have the same name")
    return named


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _copy_to_host(tree: Any) -> Arrays:
    """Copies the leaves. On a CPU ``device_get`` gives a view that donation would overwrite."""
    tree = devices.gathered(tree)
    bare = {p: jax.random.key_data(x) if _is_key(x) else x for p, x in _paths(tree)}
    return {path: np.array(array) for path, array in jax.device_get(bare).items()}


def _describe(tree: Any, arrays: Arrays) -> dict[str, dict[str, Any]]:
    """What the record says of each leaf, by its name."""
    return {
        "/".join(path): {
            "path": path,
            "is": _kind(leaf),
            "key_impl": str(jax.random.key_impl(leaf)) if _is_key(leaf) else None,
            "stored_shape": arrays[path].shape,
            "stored_dtype": arrays[path].dtype.name,
        }
        for path, leaf in _paths(tree)
    }


def _kind(leaf: Any) -> str:
    """Dtype and shape, such as ``float32[784,30]``."""
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def _nest(arrays: Arrays) -> dict[str, Any]:
    """Nested dictionaries for Orbax, which stores no array without elements."""
    return traverse_util.unflatten_dict({p: array for p, array in arrays.items() if array.size})


def _check_same_arrays(checkpoint: str, abstract: Any, record: Mapping[str, Any]) -> None:
    """Raises a UserError where the checkpoint was saved from a tree of another make."""
    saved = {name: leaf["is"] for name, leaf in record["leaves"].items()}
    wanted = {"/".join(path): _kind(leaf) for path, leaf in _paths(abstract)}
    for name in sorted(saved.keys() | wanted.keys()):
        if saved.get(name) != wanted.get(name):
            raise UserError(
                f"{checkpoint} is of another config: '{name}' is {saved.get(name, 'not in it')}, "
                f"and {wanted.get(name, 'nothing')} in this one"
            )


def _place(abstract: Any, arrays: Arrays, leaves: Mapping[str, Any]) -> Any:
    """Puts the arrays on the devices where the abstract leaves say."""

    def put(path: tuple[str, ...], leaf: Any) -> jax.Array:
        value = arrays[path]
        if _is_key(leaf):
            impl = leaves["/".join(path)]["key_impl"]
            value = jax.random.wrap_key_data(jnp.asarray(value), impl=impl)
        return devices.put(value, getattr(leaf, "sharding", None))

    return jax.tree.unflatten(
        jax.tree.structure(abstract), [put(path, leaf) for path, leaf in _paths(abstract)]
    )


# Checksums ---------------------------------------------------------------------------------------


def _write_checksums(directory: Path) -> None:
    """Writes ``checksums.json``: a CRC-32 for each file, by its path in the directory."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    checksums = {str(path.relative_to(directory)): _checksum(path) for path in files}
    (directory / CHECKSUMS).write_text(json.dumps(checksums))


def _check_files(directory: Path) -> None:
    """Compares each file with its checksum.

    Done before Orbax reads, which on damage leaves failed tasks behind that complain later.

    Raises:
      _Damaged: a file is missing or differs.
      UserError: a file may not be read.
    """
    with _reading(directory.parent):
        checksums = json.loads((directory / CHECKSUMS).read_bytes())
        changed = [name for name, crc in checksums.items() if _checksum(directory / name) != crc]
    if changed:
        raise _Damaged(f"{changed[0]} has another checksum")


def _checksum(path: Path) -> int:
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return crc


# The record --------------------------------------------------------------------------------------


def _seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as text, so that what is checked is what was written, with its checksum."""
    text = json.dumps(record)
    return {"text": text, "crc32": zlib.crc32(text.encode())}


def _unseal(sealed: Any) -> dict[str, Any]:
    """The record of a sealed one.

    Raises:
      _Damaged: it is not what was sealed.
    """
    try:
        text = sealed["text"]
        whole = zlib.crc32(text.encode()) == sealed["crc32"]
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
        raise _Damaged("its record is garbled") from error
    if not whole:
        raise _Damaged("its record has another checksum")
    return json.loads(text)
