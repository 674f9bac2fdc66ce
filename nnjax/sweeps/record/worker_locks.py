"""Who works on a sweep: a lock file for each process, held as long as the process lives."""

import fcntl
import os
import secrets
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnjax.errors import UserError
from nnjax.runs import json_files

SECONDS_BETWEEN_HEARTBEATS = 30.0

SECONDS_TO_DEATH = 300.0
"""A worker on another machine counts as dead after so long without a heartbeat."""


class WorkerLocks:
    """The lock files of a sweep's processes."""

    def __init__(self, folder: Path):
        """Takes the folder, which is made when it is first needed."""
        self._folder = folder

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Waits for a lock and holds it; the system releases it if the process dies."""
        with open(self._file(name), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def conducting(self) -> Iterator[None]:
        """Makes this process the only one that draws and plans trials.

        Raises:
          UserError: another process is that already.
        """
        with open(self._file("conductor"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sweep = self._folder.parent
                raise UserError(
                    f"{sweep} is being carried through by another process; add a worker to it "
                    f"with: nnjax sweep --join {shlex.quote(str(sweep))}"
                ) from None
            yield

    @contextmanager
    def working(self) -> Iterator[str]:
        """Makes this process a worker; gives its name, which ``is_alive`` knows while it lasts."""
        name = f"{host()}-{os.getpid()}-{secrets.token_hex(2)}"
        path = self._file(name)
        ended = threading.Event()
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            heart = threading.Thread(target=_beat, args=(path, ended), daemon=True)
            heart.start()
            try:
                yield name
            finally:
                ended.set()
                heart.join()
                with suppress(OSError):
                    path.unlink()

    def is_alive(self, worker: str) -> bool:
        """Whether the process of a worker lives.

        On this machine the lock shows it. Locks of network file systems may not reach other
        machines, so there the time since the last heartbeat decides.
        """
        path = self._path(worker)
        if not worker or not path.is_file():
            return False
        if not worker.startswith(f"{host()}-"):
            return time.time() - path.stat().st_mtime < SECONDS_TO_DEATH
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        with suppress(OSError):
            path.unlink()
        return False

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"

    def _file(self, name: str) -> Path:
        """The path of a lock file, in a folder that is there."""
        with json_files.disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._path(name)


def host() -> str:
    """The name of this machine."""
    return os.uname().nodename


def _beat(path: Path, ended: threading.Event) -> None:
    """Sets the time of a lock file again and again, as a heartbeat."""
    while not ended.wait(SECONDS_BETWEEN_HEARTBEATS):
        with suppress(OSError):
            os.utime(path)
