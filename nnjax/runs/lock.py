"""The lock of a run: one process, or one group of processes, trains a run at a time.

The lock is a POSIX record lock (``fcntl.lockf``) on the file ``training.lock`` in the run
directory. The kernel releases the lock when the process ends, however the process ends, so a crash
leaves no lock behind. A network file system holds the lock at the server (NFS version 4, or 3 with
``lockd``) and releases it when the client's kernel does, or when the client stays silent for the
server's lease time. The file holds the host and the process id of its holder, for the message to
other processes. Where a file system has no locks at all, a warning says so and the run is trained
without one.

A POSIX lock belongs to a process: it does not pass to processes that a data loader forks, which may
outlive their parent. It says nothing about two threads of one process, which a table of the locks
of this process therefore keeps apart.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnjax.errors import UserError, warn
from nnjax.runs import json_files

FILE = "training.lock"

ATTEMPTS = 100
"""How often to open the file anew where the holder before has just deleted it."""

_own: dict[tuple[int, int], "Lock"] = {}
"""The locks that this process holds, by device and inode of their files."""

_TABLE = threading.RLock()


class Lock:
    """The lock of one run directory.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs.lock import Lock
      >>> lock = Lock(Path(tempfile.mkdtemp()))
      >>> lock.acquire()
      >>> lock.release()
    """

    def __init__(self, directory: Path):
        """Takes a run directory; nothing is locked yet."""
        self.directory = Path(directory)
        self._descriptor: int | None = None
        self._file: tuple[int, int] | None = None
        self._process = os.getpid()

    def acquire(self) -> None:
        """Locks the run for this process.

        Raises:
          UserError: another process, or another part of this one, is training the run; or the
            directory cannot be written.
        """
        path = self.directory / FILE
        with _TABLE, json_files.disk_errors(path):
            for _ in range(ATTEMPTS):
                descriptor = self._open(path)
                if self._is_file_of(descriptor, path):
                    break
                os.close(descriptor)
            else:
                raise UserError(f"cannot lock {path}: other processes keep replacing it; try again")
            self._descriptor, self._process = descriptor, os.getpid()
            self._file = _identity(os.fstat(descriptor))
            _own[self._file] = self
            _write_holder(descriptor)

    def release(self) -> None:
        """Unlocks the run and deletes the lock file; without effect where nothing is locked."""
        # A forked process has the descriptor, too, but not the lock.
        if self._descriptor is None or self._process != os.getpid():
            return
        with _TABLE:
            if self._file is not None:
                _own.pop(self._file, None)
            # Deleted before it is unlocked: nobody else can hold this file.
            with contextlib.suppress(OSError):
                (self.directory / FILE).unlink()
            os.close(self._descriptor)
            self._descriptor = self._file = None

    def _open(self, path: Path) -> int:
        """Opens and locks the file, which another process may delete at any moment."""
        # First, because closing any descriptor of a file would release this process's lock of it.
        _check_not_own(self.directory, path)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError(f"{path} is no regular file; remove it")
            _lock(descriptor, self.directory)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _is_file_of(self, descriptor: int, path: Path) -> bool:
        """Whether a path still names the open file, and not one made after it was deleted."""
        try:
            return _identity(os.stat(path)) == _identity(os.fstat(descriptor))
        except FileNotFoundError:
            return False


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Locks a run for as long as the context lasts.

    Raises:
      UserError: another process is training the run.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs.lock import locked
      >>> with locked(Path(tempfile.mkdtemp())):
      ...     pass  # train
    """
    lock = Lock(directory)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_free(directory: Path) -> None:
    """Checks that nobody is training a run.

    Raises:
      UserError: a process is.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs.lock import check_free
      >>> check_free(Path(tempfile.mkdtemp()))
    """
    # Without the file there is no lock, and in a read-only directory none could be made.
    if (Path(directory) / FILE).exists():
        with locked(directory):
            pass


def _check_not_own(directory: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if _identity(os.stat(path)) in _own:
            raise UserError(
                f"run {directory} is being trained by this process already; wait until that ends"
            )


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(
                f"run {directory} is being trained by {_holder(descriptor)}; wait until that "
                "process ends, or stop it first"
            ) from None
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        warn(
            f"the file system of {directory} has no locks ({error.strerror}): see to it that no "
            "other process trains this run"
        )


def _holder(descriptor: int) -> str:
    """The process that holds the lock, as it says in the file."""
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {int(said['process'])} on {said['host']!s}, since {said['since']!s}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


def _write_holder(descriptor: int) -> None:
    said = {
        "process": os.getpid(),
        "host": os.uname().nodename,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(said).encode(), 0)
    os.fsync(descriptor)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
