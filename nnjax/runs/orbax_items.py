"""Orbax's handlers for the two parts of a checkpoint: the arrays, and the record beside them.

Orbax is imported when a checkpoint is first written or read, because the import takes a second.
"""

import functools
import glob
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from nnjax.distributed import collectives
from nnjax.runs import checksums, orbax_logging

MANIFEST = "manifest.ocdbt"
"""TensorStore's list of the arrays. Without this file none of the arrays can be read."""

_IMPORTING = threading.RLock()
"""Two threads that import packages which import each other can see half-initialised modules."""


@functools.cache
def orbax() -> Any:
    """Returns the module ``orbax.checkpoint``, with its progress messages turned off."""
    with _IMPORTING:
        import orbax.checkpoint

    orbax_logging.silence()
    return orbax.checkpoint


def import_in_background() -> None:
    """Starts a thread that imports Orbax, so that the first save need not wait for the import.

    Example:
      >>> from nnjax.runs.checkpoints import import_in_background
      >>> import_in_background()
    """
    threading.Thread(target=orbax, name="import-orbax").start()


class ArrayItem(NamedTuple):
    """The classes by which Orbax saves and restores the item ``arrays``."""

    handler: Any
    save: Any
    restore: Any


@functools.cache
def array_item() -> ArrayItem:
    """Returns Orbax's handler of arrays, extended by checksums and by paths taken literally."""
    ocp = orbax()

    class Handler(ocp.StandardCheckpointHandler):
        def finalize(self, directory: Any) -> None:
            super().finalize(_with_literal_glob(directory))
            # Orbax only logs that it found no arrays to put into the manifest.
            if not (Path(directory) / MANIFEST).is_file():
                raise RuntimeError("Orbax wrote no manifest of the arrays")
            checksums.write(Path(directory))

    # Orbax finds a handler by the class of its arguments, and the arguments by the handler's class.
    @ocp.args.register_with_handler(Handler, for_save=True)
    class Save(ocp.args.StandardSave):
        pass

    @ocp.args.register_with_handler(Handler, for_restore=True)
    class Restore(ocp.args.StandardRestore):
        pass

    return ArrayItem(Handler, Save, Restore)


def _with_literal_glob(directory: Any) -> Any:
    """Returns the same path, but its ``glob`` reads no pattern into the directory's own name.

    Orbax joins a directory and a pattern and globs the result, so that a parent directory
    ``lr [0.1]`` would match nothing, and ``lr ?`` the files of other runs.
    """

    class LiteralPath(type(directory)):
        def glob(self, pattern: str) -> Iterator[Any]:
            for name in sorted(glob.glob(pattern, root_dir=self)):
                yield self / name

    return LiteralPath(directory)


def single_process_options() -> Any:
    """Returns Orbax's options for a process that saves and restores without the other processes."""
    options = orbax().options.MultiprocessingOptions
    if not collectives.several():
        return options()
    process = jax.process_index()
    return options(process, {process}, barrier_sync_key_prefix=f"process-{process}")
