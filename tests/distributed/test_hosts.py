"""One run of several processes: the same as one process, killed, stopped, resumed, refused."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

import nnjax
from nnjax.cli.hosts_options import joined
from nnjax.distributed import rendezvous
from nnjax.distributed.hosts import Hosts
from nnjax.errors import UserError

CONFIG = '''"""Digits in memory or as a stream, by a small net; a file of the user's own."""

import dataclasses
import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.data import RecordStream
from nnjax.data.dataset import Dataset
from nnjax.data.preprocessing import Preprocess
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training, fit

DROPOUT = float(jnp.float32(0.125))
"""Computed on a device: the processes must be connected before this file is read."""


class Log:
    """Records that remember which of them were read."""

    def __init__(self, split):
        self.split, self.read = split, []

    def __len__(self):
        return len(self.split["targets"])

    def __getitem__(self, index):
        self.read.append(int(index))
        return {name: array[index] for name, array in self.split.items()}


@dataclasses.dataclass(frozen=True)
class SavedDigits:
    """The digits of a file.

    Attributes:
      path: of the file.
      stream: read them one by one.
    """

    path: str = "digits.npz"
    stream: bool = False

    def load(self):
        with np.load(self.path) as arrays:
            images, labels = arrays["images"], arrays["labels"]
        parts = {"train": slice(330), "validation": slice(330, 430), "test": slice(430, 503)}
        splits = {
            name: {"inputs": images[part], "targets": labels[part]} for name, part in parts.items()
        }
        options = (tuple("0123456789"), Preprocess(scale=1 / 16))
        if self.stream:
            return RecordStream({name: Log(split) for name, split in splits.items()}, *options)
        return Dataset(splits, *options)


config = Experiment(
    data=SavedDigits(),
    learner=Supervised(MLP(features=(12,), dropout=DROPOUT), optimizer=Adam(learning_rate=0.01)),
    # 330 examples are 15 batches of 21 and one of 15: four devices divide neither.
    training=Training(epochs=EPOCHS, batch_size=21, devices=0, checkpoint_seconds=0.05),
)


def main(experiment, run, *, resume=False, quiet=False):
    data = experiment.data.load()
    pause = float(os.environ.get("SECONDS_AN_EPOCH", 0))
    observe = (lambda *_: time.sleep(pause)) if pause else None
    fit(experiment.learner, data, experiment.training, run=run, resume=resume, observe=observe)
    print("done")
    if isinstance(data, RecordStream):
        read = data.splits["train"].read
        Path(f"read-by-{jax.process_index()}").write_text(" ".join(map(str, read)))
'''

EPOCHS = 10

TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
"""Of parameters after all updates, in float32: sums over the devices are taken in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the config and its data."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("hosts")
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.uint8).reshape(-1, 8, 8, 1)[:503]
    np.savez(folder / "digits.npz", images=images, labels=labels.astype(np.int32)[:503])
    (folder / "digits.py").write_text(CONFIG.replace("EPOCHS", str(EPOCHS)))
    return folder


# Processes ---------------------------------------------------------------------------------------


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def start(folder, *words, devices):
    """Starts ``nnjax`` as one process with some fake devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    source = str(Path(nnjax.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "nnjax", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source, "XLA_FLAGS": flags},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_all(folder, *words, processes=2, devices=4, options=None, folders=None):
    """Starts the processes of one run, which have so many devices together.

    ``options`` and ``folders`` are of a process, by its number, beside what all have.
    """
    together = ("--coordinator", f"localhost:{free_port()}", "--processes", processes)
    return [
        start(
            (folders or {}).get(number, folder),
            *(*words, *together, "--process-id", number, *(options or {}).get(number, ())),
            devices=devices // processes,
        )
        for number in range(processes)
    ]


def finish(processes):
    """What the processes wrote, when all have ended well."""
    said = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    assert [errors for _, errors in said] == [""] * len(processes)
    return [output for output, _ in said]


def complaints(processes):
    """Exit statuses and what was written to stderr."""
    said = [process.communicate(timeout=240)[1] for process in processes]
    return [process.returncode for process in processes], said


def wait_for_records(run, count, processes):
    file, deadline = run / "metrics.jsonl", time.monotonic() + 200
    while not file.exists() or file.read_bytes().count(b"\n") < count:
        ended = [process.poll() for process in processes]
        assert ended == [None] * len(processes), complaints(processes)
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Runs --------------------------------------------------------------------------------------------


def parameters(run):
    """The parameters that the run ended with, and their step."""
    from nnjax.cli.runs import open_run
    from nnjax.distributed import devices
    from nnjax.runs.checkpoints import Checkpoints
    from nnjax.training import best, snapshot
    from nnjax.training.experiment import fit_to_data

    opened = open_run(run)
    data, training = opened.load_data(), opened.experiment.training
    learner = fit_to_data(opened.experiment.learner, data, training)
    carry = snapshot.initial_carry(learner, data, training, devices.make_mesh(1))
    monitored = best.make_monitor(training.monitor, learner, data)
    wanted = snapshot.abstract(snapshot.tree(carry, carry.state if monitored else None))
    with Checkpoints(run / "checkpoints") as checkpoints:
        step, tree, _ = checkpoints.restore(wanted, on_fallback=pytest.fail)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree["carry"].state.params)], step


def assert_close(run, other):
    (ours, step), (theirs, other_step) = parameters(run), parameters(other)
    assert step == other_step
    for one, another in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, another, **TOLERANCE)


def assert_same_bits(run, other):
    (ours, step), (theirs, other_step) = parameters(run), parameters(other)
    assert step == other_step
    for one, another in zip(ours, theirs, strict=True):
        assert one.tobytes() == another.tobytes()
    assert (run / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


@pytest.fixture(scope="module")
def alone(folder):
    """The run of one process with four devices."""
    finish([start(folder, "train", "digits.py", "--run-dir", "alone", devices=4)])
    return folder / "alone"


@pytest.fixture(scope="module")
def whole(folder):
    """The run of two processes with two devices each, never stopped."""
    first, second = finish(start_all(folder, "train", "digits.py", "--run-dir", "whole"))
    assert (first, second) == ("done\n", "")
    return folder / "whole"


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.slow
def test_two_processes_train_as_one(alone, whole):
    assert_close(whole, alone)


@pytest.mark.slow
def test_four_processes_train_as_one(folder, alone):
    finish(start_all(folder, "train", "digits.py", "--run-dir", "four", processes=4))
    assert_close(folder / "four", alone)


@pytest.mark.slow
def test_a_signal_to_one_process_saves_and_stops_all_and_one_alone_goes_on(
    folder, alone, monkeypatch
):
    run = folder / "stopped"
    words = ("train", "digits.py", "--run-dir", "stopped", "--checkpoint-seconds", 1000)
    with monkeypatch.context() as patch:
        # Else, on a machine that is busy elsewhere, training may end before the signal comes.
        patch.setenv("SECONDS_AN_EPOCH", "0.5")
        processes = start_all(folder, *words)
    wait_for_records(run, 6, processes)
    processes[1].send_signal(signal.SIGTERM)
    statuses, errors = complaints(processes)
    assert statuses == [128 + signal.SIGTERM] * 2, errors
    (saved,) = (run / "checkpoints").iterdir()
    sentence = f"nnjax: stopped at step {int(saved.name):,} of {EPOCHS * 16:,}; go on with: nnjax "
    assert errors == [f"{sentence}resume {run}\n"] * 2
    finish([start(folder, "resume", "stopped", devices=4)])
    assert_close(run, alone)


@pytest.mark.slow
def test_all_killed_and_resumed_end_with_the_same_bits(folder, whole):
    run = folder / "killed"
    processes = start_all(folder, "train", "digits.py", "--run-dir", "killed")
    wait_for_records(run, 10, processes)
    for process in processes:
        process.kill()
    complaints(processes)
    assert "running" in (run / "summary.json").read_text()
    finish(start_all(folder, "resume", "killed"))
    assert_same_bits(run, whole)


@pytest.mark.slow
def test_when_one_process_is_killed_the_other_says_so_and_ends(folder):
    processes = start_all(folder, "train", "digits.py", "--run-dir", "lost", "--epochs", 5000)
    wait_for_records(folder / "lost", 4, processes)
    processes[1].kill()
    statuses, errors = complaints(processes)
    assert statuses == [1, -signal.SIGKILL]
    assert errors[0].startswith("nnjax: process 0 lost another process of the run, which says why;")


@pytest.mark.slow
def test_each_process_reads_its_own_share_of_a_stream(folder):
    """Of every batch each reads half; and all learn what one process learns from the whole."""
    words = ("train", "digits.py", "--run-dir", "stream", "--data.stream", "--epochs", 4)
    finish(start_all(folder, *words))
    shares = [(folder / f"read-by-{number}").read_text().split() for number in range(2)]
    finish([start(folder, *words[:3], "stream-alone", *words[4:], devices=4)])
    assert set(shares[0] + shares[1]) == {str(index) for index in range(330)}
    # Four epochs and an evaluation; beside its half each reads some batches ahead, and padding.
    assert len((folder / "read-by-0").read_text().split()) >= 5 * 330
    for share in shares:
        assert len(share) < 0.7 * 5 * 330
    assert_close(folder / "stream", folder / "stream-alone")


@pytest.mark.slow
def test_a_state_carried_from_row_to_row_is_saved_whole(folder):
    (folder / "verse.txt").write_text("the cat sat on the mat and a dog lay in the sun. " * 90)
    (folder / "verse.py").write_text(VERSE)
    finish([start(folder, "train", "verse.py", "--run-dir", "verse", devices=2)])
    words = ("train", "verse.py", "--run-dir", "verses")
    processes = start_all(folder, *words, devices=2)
    wait_for_records(folder / "verses", 2, processes)
    processes[0].send_signal(signal.SIGTERM)
    complaints(processes)
    finish(start_all(folder, "resume", "verses", devices=2))
    assert_close(folder / "verses", folder / "verse")


VERSE = '''"""A text in lanes: each row of a batch goes on where the one before ended."""

from pathlib import Path

from nnjax.data import Text
from nnjax.layers.cells import LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import LanguageModel
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training, fit

config = Experiment(
    data=Text(path=Path("verse.txt"), length=16, lanes=8, validation=0.1, test=0.0),
    learner=Supervised(
        LanguageModel(recurrent=Recurrent(LSTMCell(8))), optimizer=Adam(learning_rate=0.01)
    ),
    training=Training(epochs=4, batch_size=8, devices=0),
)


def main(experiment, run, *, resume=False, quiet=False):
    data = experiment.data.load()
    fit(experiment.learner, data, experiment.training, run=run, resume=resume)
'''


# What goes wrong ---------------------------------------------------------------------------------


def test_other_data_on_a_host_is_refused_by_all(folder):
    other = folder / "other-host"
    other.mkdir()
    (other / "digits.py").write_text((folder / "digits.py").read_text())
    with np.load(folder / "digits.npz") as arrays:
        labels = arrays["labels"].copy()
        labels[7] += 1
        np.savez(other / "digits.npz", images=arrays["images"], labels=labels)
    words = ("train", "digits.py", "--run-dir", "mixed")
    statuses, errors = complaints(start_all(folder, *words, folders={1: other}))
    assert statuses == [1, 1], errors
    for sentence in errors:
        assert sentence.startswith("nnjax: process 1 reads other data than process 0: the checksum")
        assert "of its train split is" in sentence
        assert sentence.count("\n") == 1
    assert not (folder / "mixed").exists()


@pytest.mark.slow
def test_other_options_on_a_host_are_refused_by_all(folder):
    words = ("train", "digits.py", "--run-dir", "seeds")
    options = {0: ("--seed", 0), 1: ("--seed", 1)}
    statuses, errors = complaints(start_all(folder, *words, options=options))
    assert statuses == [1, 1]
    for sentence in errors:
        assert "training.seed: 0 at process 0, 1 at process 1" in sentence


@pytest.mark.slow
def test_all_devices_must_take_part(folder):
    words = ("train", "digits.py", "--run-dir", "few", "--devices", 1)
    statuses, errors = complaints(start_all(folder, *words))
    assert statuses == [1, 1]
    for sentence in errors:
        assert "devices is 1, but the 2 processes have 4 together" in sentence
    assert not (folder / "few").exists()


# The roll call -----------------------------------------------------------------------------------


def rendezvous_of(*reports, seconds=2.0):
    """Holds the roll call in threads, one for each (processes, process_id); the errors of each."""
    port, errors = free_port(), [None] * len(reports)

    def hold(place, processes, process_id):
        try:
            rendezvous.hold("localhost", port, processes, process_id, seconds)
        except UserError as error:
            errors[place] = str(error)

    threads = [
        threading.Thread(target=hold, args=(place, *report)) for place, report in enumerate(reports)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return port, errors


def test_rendezvous():
    assert rendezvous_of((4, 0), (4, 3), (4, 1), (4, 2), seconds=20)[1] == [None] * 4


def test_rendezvous_of_one_that_does_not_come():
    port, errors = rendezvous_of((3, 0), (3, 2), seconds=1)
    expected = f"process 1 of 3 did not come to localhost:{port} within 1 seconds; start every "
    assert all(error.startswith(expected) for error in errors)


def test_rendezvous_of_one_that_comes_twice():
    _, errors = rendezvous_of((4, 0), (4, 1), (4, 1), seconds=20)
    expected = "two processes were started with --process-id 1; give each its own, from 0 to 3"
    assert errors == [expected] * 3


def begin(port, processes, process_id):
    """Starts a process that is about to come to the rendezvous."""
    script = f"""
from nnjax.distributed import rendezvous
receive = rendezvous._receive
rendezvous._receive = lambda *given: print("waits", flush=True) or receive(*given)
print("begins", flush=True)
rendezvous.hold("localhost", {port}, {processes}, {process_id}, 60.0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(nnjax.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begins\n"
    return process


def kill(process):
    """Kills it once it has come and waits for the others."""
    assert process.stdout.readline() == "waits\n"
    process.kill()
    process.communicate()


@pytest.mark.parametrize("order", [(2, 1), (1, 2)])
def test_rendezvous_of_one_that_is_killed_and_started_again(order):
    port = free_port()
    lost = begin(port, 3, 1)
    with ThreadPoolExecutor() as threads:
        held = [threads.submit(rendezvous.hold, "localhost", port, 3, 0, 20.0)]
        kill(lost)
        for number in order:
            held.append(threads.submit(rendezvous.hold, "localhost", port, 3, number, 10.0))
            time.sleep(0.5)  # So that they come in this order; either must do.
        assert [one.exception(90) for one in held] == [None] * 3


def test_rendezvous_of_one_that_is_killed_and_stays_away():
    port = free_port()
    lost = begin(port, 3, 1)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(rendezvous.hold, "localhost", port, 3, 0, 3.0)
        kill(lost)
        second = threads.submit(rendezvous.hold, "localhost", port, 3, 2, 3.0)
        assert [str(one.exception(60)) for one in (first, second)] == [left(port)] * 2


def left(port):
    return (
        f"process 1 of 3 came to localhost:{port} and left before all the others had come; see "
        "what it says, and start every process again"
    )


def test_rendezvous_of_one_that_falls_silent(monkeypatch):
    """It hangs, or its network is gone: nothing tells of its end."""
    monkeypatch.setattr(rendezvous, "ANSWER", 0.5)
    port = free_port()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(rendezvous.hold, "localhost", port, 3, 0, 2.0)
        with rendezvous._reach("localhost", port, 1, 2.0) as silent:
            silent.sendall(b'{"process": 1, "processes": 3}\n')
            second = threads.submit(rendezvous.hold, "localhost", port, 3, 2, 2.0)
            assert [str(one.exception(60)) for one in (first, second)] == [left(port)] * 2


def test_rendezvous_of_other_numbers():
    _, errors = rendezvous_of((2, 0), (3, 1), seconds=20)
    expected = "process 1 was started with --processes 3, process 0 with --processes 2; give all "
    assert errors == [expected + "the same"] * 2


def test_rendezvous_where_nobody_listens():
    port, (error,) = rendezvous_of((2, 1), seconds=0.2)
    assert error.startswith(f"process 1 cannot reach the coordinator localhost:{port} within 0.2 ")
    assert "start process 0 there" in error


def test_rendezvous_at_a_port_that_is_taken():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen at port {port} .*in use"):
            rendezvous.hold("localhost", port, 2, 0, 1.0)


def test_rendezvous_where_another_program_listens():
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close()).start()
        with pytest.raises(UserError, match="or another program listens there"):
            rendezvous.hold("localhost", port, 2, 1, 1.0)


def test_other_programs_do_not_disturb_the_rendezvous():
    port = free_port()
    lead = threading.Thread(target=rendezvous.hold, args=("localhost", port, 2, 0, 20.0))
    lead.start()
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("localhost", port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\n")
            break
        except OSError:
            assert time.monotonic() < deadline
    rendezvous.hold("localhost", port, 2, 1, 20.0)
    lead.join()


# Options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--process-id", "1"], "--process-id 1 needs --coordinator HOST:PORT"),
        (["--coordinator", "a:1"], "--coordinator a:1 needs --processes and --process-id too"),
        (["--coordinator=a:1", "--processes=2"], "--coordinator a:1 needs --process-id too"),
        (["--coordinator", "auto", "--processes", "2"], "--processes 2 needs --coordinator HOST"),
        (
            ["--coordinator", "here", "--processes", "2", "--process-id", "0"],
            "--coordinator here is no HOST:PORT, such as 10.0.0.1:4321",
        ),
        (
            ["--coordinator", "a:1", "--processes", "2", "--process-id", "2"],
            "--process-id 2 is not one of 2 processes; they are 0 to 1",
        ),
        (
            ["--coordinator", "a:1", "--processes", "0", "--process-id", "0"],
            "--processes must be positive, not 0",
        ),
        (["--processes", "two"], "--processes takes a whole number, not 'two'"),
    ],
)
def test_options_that_do_not_fit(words, sentence):
    with pytest.raises(UserError) as error, joined(["--quiet", *words], "nnjax train x"):
        pass
    assert str(error.value).startswith(sentence)


def test_other_options_are_left_over():
    words = ["--quiet", "--coordinator", "a:1", "--processes=1", "--seed", "1", "--process-id", "0"]
    with joined(words, "nnjax train x") as rest:
        assert rest == ["--quiet", "--seed", "1"]


@pytest.mark.parametrize("word", ["--help", "--dry-run"])
def test_help_and_dry_runs_wait_for_nobody(word):
    words = ["--coordinator", "localhost:1", "--processes", "2", "--process-id", "1"]
    with joined([*words, word], "nnjax train x") as rest:
        assert rest == [word]


def test_auto_outside_a_cluster():
    script = "from nnjax.training import hosts\nwith hosts.joined(hosts.Hosts('auto')): pass"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "--coordinator auto finds no cluster here" in done.stderr
    assert "srun" in done.stderr


def test_one_process_needs_no_coordinator():
    assert Hosts() == Hosts(None, None, None)
    with joined(["--coordinator=a:1", "--processes=1", "--process-id=0"], "nnjax train x"):
        assert not jax.distributed.is_initialized()
