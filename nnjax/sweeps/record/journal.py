"""The storage of a sweep's record: a journal file in the sweep's directory, or a database."""

import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

JOURNAL = "journal.log"


def open_storage(directory: Path, url: str) -> Any:
    """Opens Optuna's storage of a sweep; makes the journal file where there is none.

    Args:
      directory: of the sweep.
      url: of a database; empty takes the journal file of the directory.

    Raises:
      Exception: whatever Optuna, the database or a damaged journal raises.
    """
    if url:
        return optuna.storages.get_storage(url)
    # Optuna's lock is a symbolic link to the path given here. Optuna removes the lock of a killed
    # process only if the link leads to a file, and a relative path would not.
    journal = (directory / JOURNAL).absolute()
    _repair(journal)
    return optuna.storages.JournalStorage(JournalFileBackend(str(journal)))


def _repair(journal: Path) -> None:
    """Removes a stale lock and an unfinished last line, as a kill or a full disk leaves them."""
    lock = journal.with_name(journal.name + ".lock")
    if lock.is_symlink() and not lock.exists():
        # The directory was moved while the journal was locked.
        lock.unlink(missing_ok=True)
    if not journal.is_file() or _ends_with_newline(journal):
        return
    write_lock = JournalFileSymlinkLock(str(journal))
    write_lock.acquire()
    try:
        # Checked again under the lock: another process may have been writing the line.
        if not _ends_with_newline(journal):
            os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
    finally:
        write_lock.release()


def _ends_with_newline(journal: Path) -> bool:
    """Whether the journal is empty or its last line is complete."""
    with open(journal, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
