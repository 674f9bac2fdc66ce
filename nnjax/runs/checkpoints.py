"""Checkpoints: the arrays and the record of a step, saved by Orbax while training goes on.

Orbax writes a step into a temporary directory and renames the directory when it is complete, so a
process may die at any moment. Orbax does not notice a changed byte in a complete step: the files
therefore carry checksums, and a checkpoint is restored whole or not at all.

Where several processes make one run, every process calls :meth:`Checkpoints.save` and
:meth:`Checkpoints.restore`. Rank 0 gathers the arrays of all devices and writes them, so that a
checkpoint does not depend on the number of processes. Every process reads for itself.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nnjax.distributed import collectives
from nnjax.errors import UserError
from nnjax.runs import array_tree, checksums, earlier_versions
from nnjax.runs.array_tree import Arrays
from nnjax.runs.checksums import Damaged
from nnjax.runs.orbax_items import (
    array_item,
    import_in_background,
    orbax,
    single_process_options,
)

__all__ = ["AllDamaged", "Checkpoints", "import_in_background", "set_all_aside"]

SET_ASIDE = "set-aside-"

LONGEST_FILE = 200
"""Bytes that the path of a file within a checkpoint adds to that of the directory, at most."""

BUCKETS = ("gs", "s3", "az", "hf")
"""Orbax takes a path under ``/gs``, say, for a bucket of a cloud storage, not for a directory."""


class AllDamaged(UserError):
    """No checkpoint of a run can be restored.

    Attributes:
      what: which checkpoints are damaged, and why.

    Example:
      >>> from nnjax.runs.checkpoints import AllDamaged
      >>> str(AllDamaged("every checkpoint in runs/a is damaged"))
      'every checkpoint in runs/a is damaged; start the run anew'
    """

    def __init__(self, what: str):
        super().__init__(f"{what}; start the run anew")
        self.what = what


class Checkpoints:
    """The checkpoints of one run: ``<directory>/<step>/``.

    A context manager; leaving it waits for the save in progress. A step holds the items ``arrays``
    (an Orbax tree of NumPy arrays, nested by name) and ``record`` (JSON).

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> import jax.numpy as jnp
      >>> from nnjax.runs import Checkpoints
      >>> tree = {"weights": jnp.arange(3.0)}
      >>> with Checkpoints(Path(tempfile.mkdtemp())) as checkpoints:
      ...     checkpoints.save(10, tree, {"epoch": 2})
      ...     step, restored, meta = checkpoints.restore(tree)
      >>> step, restored["weights"].tolist(), meta
      (10, [0.0, 1.0, 2.0], {'epoch': 2})
    """

    def __init__(self, directory: Path, *, keep_last: int = 2):
        """Opens a directory of checkpoints; the first save makes it.

        Args:
          directory: holds the checkpoints and nothing else.
          keep_last: how many of the newest checkpoints to keep. An older one is deleted only when
            the checkpoint that takes its place is complete.

        Raises:
          UserError: Orbax cannot write to a directory of that name.
        """
        self._directory = Path(directory).absolute()
        check_name(self._directory)
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
        for the save before. A step that is already saved is left as it is. Collective: every
        process must call this, and rank 0 writes.

        A run that resumed from an earlier step leaves damaged checkpoints and checkpoints of later
        steps behind. They are renamed to ``set-aside-<step>``, and those of an earlier time are
        deleted, so that the copies do not pile up.

        Args:
          step: updates made so far.
          tree: any pytree of arrays, typed PRNG keys among them.
          meta: what to restore beside the arrays, as JSON can hold it.

        Raises:
          UserError: this save or the one before could not be written, or could not be restored;
            earlier checkpoints are intact.
        """
        self.wait()
        arrays = array_tree.copy_to_host(tree)
        if not collectives.is_first():
            return
        record = checksums.seal({"leaves": array_tree.describe(tree, arrays), "meta": meta})
        with self._disk_errors():
            manager = self._writer()
            self._set_aside(step)
            if step in _steps(self._directory):
                return
            args = orbax().args
            items = args.Composite(
                arrays=array_item().save(array_tree.nest(arrays)), record=args.JsonSave(record)
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
            except Damaged as damage:
                self._damaged.add(candidate)
                damages[candidate] = str(damage)
                continue
            for damaged, why in damages.items():
                sentence = f"the checkpoint of step {damaged} is damaged ({why})"
                on_fallback(f"{sentence}; falling back to the one before it")
            tree = array_tree.place(abstract, arrays, record["leaves"])
            return candidate, tree, record["meta"]
        if not damages:
            return None
        which = "every checkpoint" if step is None else f"the checkpoint of step {step}"
        why = damages[min(damages)]
        raise AllDamaged(f"{which} in {self._directory} is damaged ({why})")

    def wait(self) -> None:
        """Waits until the save in progress is complete.

        Raises:
          UserError: the checkpoint could not be written.
        """
        if self._manager is not None:
            with self._disk_errors():
                self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for the save in progress, then frees Orbax's threads.

        Raises:
          UserError: the checkpoint could not be written.
        """
        self.wait()
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    # Writing

    def _writer(self) -> Any:
        """Orbax's manager, after the half-written steps of a killed process are removed."""
        if self._manager is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            _check_holds_no_links(self._directory)
            for unfinished in self._directory.glob(f"*{orbax().utils.TMP_DIR_SUFFIX}*"):
                shutil.rmtree(unfinished)
            self._manager = self._open()
        return self._manager

    def _open(self) -> Any:
        ocp = orbax()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self._keep_last,
            create=False,
            # If a directory cannot be made in the background, threads of Orbax wait for it for
            # minutes, and the process waits for them.
            async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
            multiprocessing_options=(alone := single_process_options()),
        )
        handlers = {
            "arrays": array_item().handler(multiprocessing_options=alone),
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
        """Turns an error of Orbax into a UserError, and drops the manager that failed."""
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
        checkpoint = self._directory / str(step)
        args = orbax().args
        record = checksums.unseal(self._load(step, "record", args.JsonRestore()))
        try:
            saved, wanted = record["leaves"], array_tree.names(abstract)
            upgraded = earlier_versions.upgraded(saved)
            is_earlier = saved.keys() != wanted == upgraded.keys()
            record["leaves"] = upgraded if is_earlier else saved
            array_tree.check_same(f"the checkpoint {checkpoint}", abstract, record["leaves"])
            arrays = array_tree.empty_arrays(saved)
            if not isinstance(record["meta"], dict):
                raise TypeError
        except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
            raise Damaged("its record is garbled") from error
        with _read_errors(checkpoint):
            checksums.check(checkpoint / "arrays")
        stored = self._load(step, "arrays", array_item().restore(array_tree.nest(arrays)))
        arrays.update(array_tree.flatten(stored))
        return earlier_versions.upgraded_arrays(arrays, step) if is_earlier else arrays, record

    def _load(self, step: int, item: str, how: Any) -> Any:
        with _read_errors(self._directory / str(step)):
            manager = self._manager or self._open()
            return manager.restore(step, args=orbax().args.Composite(**{item: how}))[item]


# Directories -------------------------------------------------------------------------------------


def set_all_aside(directory: Path) -> None:
    """Renames every checkpoint, damaged or not, so that a run can begin anew beside them.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs.checkpoints import set_all_aside
      >>> directory = Path(tempfile.mkdtemp())
      >>> (directory / "10").mkdir()
      >>> set_all_aside(directory)
      >>> [path.name for path in directory.iterdir()]
      ['set-aside-10']
    """
    _rename_aside(directory, _steps(directory))


def _rename_aside(directory: Path, steps: Iterable[int]) -> None:
    """Renames checkpoints; deletes those that were renamed at an earlier time."""
    steps = list(steps)
    if not steps:
        return
    for earlier in directory.glob(f"{SET_ASIDE}*"):
        if earlier.is_symlink():
            earlier.unlink()
        else:
            shutil.rmtree(earlier, ignore_errors=True)
    for step in steps:
        (directory / str(step)).rename(directory / f"{SET_ASIDE}{step}")


def _steps(directory: Path) -> list[int]:
    """The complete checkpoints: Orbax gives a directory its plain number at the very end."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return [int(name) for name in names if name.isascii() and name.isdecimal()]


def check_name(directory: Path) -> None:
    """Checks that Orbax and TensorStore can use the path of a directory.

    Raises:
      UserError: the path names a cloud storage, holds a backslash or NUL, is not UTF-8, or is
        longer than the system takes.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs.checkpoints import check_name
      >>> check_name(Path("runs/lr [0.1]"))
    """
    text = str(Path(directory).absolute())
    problem = None
    if (bucket := text.split("/")[1]) in BUCKETS:
        problem = f"Orbax takes /{bucket} for a cloud storage"
    elif "\\" in text:
        problem = "TensorStore takes a backslash for a slash"
    elif "\0" in text:
        problem = "a path holds no NUL"
    elif (length := len(os.fsencode(text))) > (longest := _longest_name()):
        problem = f"its path has {length:,} bytes, of which the system takes {longest:,}"
    elif any("\ud800" <= character <= "\udfff" for character in text):
        problem = "the name is not UTF-8"
    if problem:
        raise UserError(
            f"nothing can be saved in {str(directory)!r}: {problem}; rename the directory or "
            "choose another"
        )


def _longest_name() -> int:
    return os.pathconf("/", "PC_PATH_MAX") - LONGEST_FILE


def _check_holds_no_links(directory: Path) -> None:
    """Raises a UserError where a checkpoint is a symbolic link.

    Checkpoints are renamed and deleted, and what a link points to belongs to somebody else.
    """
    for path in directory.iterdir():
        if path.is_symlink():
            raise UserError(
                f"{path} is a symbolic link to {os.readlink(path)}; checkpoints are renamed and "
                "deleted, so copy the directory there or remove the link"
            )


# Errors ------------------------------------------------------------------------------------------


@contextmanager
def _read_errors(checkpoint: Path) -> Iterator[None]:
    """Tells a checkpoint that is damaged from one that the system does not let be read.

    Raises:
      Damaged: something is missing, or not what was saved.
      UserError: the file may not be read, the disk fails and the like.
    """
    try:
        yield
    except Damaged:
        raise
    # A damaged file can make Orbax and TensorStore raise anything.
    except Exception as error:
        if _system_error(error) in (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            raise Damaged(_reason(error)) from error
        raise UserError(
            f"cannot read the checkpoint {checkpoint}: {_reason(error)}; it may be whole, so make "
            "it readable and try again"
        ) from error


def _reason(error: BaseException) -> str:
    """An error in a few words: those of the system, where the system raised it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if (number := _system_error(error)) is not None:
        return os.strerror(number)
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]


def _system_error(error: BaseException) -> int | None:
    """The system's number of an error, such as ``errno.ENOSPC``; None where it has none."""
    if isinstance(error, OSError):
        return error.errno
    # TensorStore ends its message with "... No space left on device [os_error_code='28']".
    found = re.search(r"(?:os_error_code=|OS error )'?(\d+)", str(error))
    return int(found[1]) if found else None
