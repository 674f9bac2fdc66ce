"""TensorBoard events: what was recorded, against the step, and nothing of PyTorch."""

import struct
import subprocess
import sys
import warnings

from nnjax.training.tensorboard import TensorBoard


def read_events(directory):
    """Every event of the files in a directory, oldest file first."""
    from tensorboardX.proto.event_pb2 import Event

    events = []
    for file in sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            events.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return events


def scalars(directory):
    return [
        (value.tag, event.step, value.simple_value)
        for event in read_events(directory)
        for value in event.summary.value
    ]


def record(step, split="train", **metrics):
    return {"step": step, "epoch": step / 10, "split": split, **metrics}


def test_scalars_by_split_and_metric(tmp_path):
    board = TensorBoard(tmp_path)
    board.write(record(10, loss=0.5, accuracy=0.25))
    board.write(record(10, "validation", loss=0.75))
    board.close()
    assert sorted(scalars(tmp_path)) == [
        ("train/accuracy", 10, 0.25),
        ("train/loss", 10, 0.5),
        ("validation/loss", 10, 0.75),
    ]


def test_names_of_metrics_are_kept_as_they_are(tmp_path):
    """TensorboardX would replace letters by "_", and draw the first two as one curve."""
    names = ("top 5", "top_5", "<lambda>", "f1[macro]", "精度 😀", "two\nlines")
    board = TensorBoard(tmp_path)
    board.write(record(10, **dict.fromkeys(names, 0.5)))
    board.close()
    tags = {tag for tag, _, _ in scalars(tmp_path)}
    assert tags == {f"train/{name}" for name in names[:-1]} | {"train/two\\nlines"}


def test_any_error_of_the_writer_is_a_warning(tmp_path):
    board = TensorBoard(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        board.write(record(1, loss="no number"))
        board.close()
    (warning,) = (str(one.message) for one in caught if "TensorBoard" in str(one.message))
    assert "ValueError: could not convert string to float: 'no number'" in warning


def test_many_records_are_thinned_but_the_last_is_written(tmp_path):
    board = TensorBoard(tmp_path)
    for step in range(1, 2001):
        board.write(record(step, loss=1.0))
    board.close()
    steps = [step for _, step, _ in scalars(tmp_path)]
    assert steps[0] == 1
    assert steps[-1] == 2000
    assert steps == sorted(steps)
    assert len(steps) < 1000


def test_resumed_run_hides_later_steps_and_keeps_the_earlier_file(tmp_path):
    for after in (0, 20):
        board = TensorBoard(tmp_path, after_step=after)
        board.write(record(after + 10, loss=1.0))
        board.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert [step for _, step, _ in scalars(tmp_path)] == [10, 30]
    purges = [event.step for event in read_events(tmp_path) if event.session_log.status]
    assert purges == [21]


def test_nothing_written_leaves_no_file(tmp_path):
    TensorBoard(tmp_path).close()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    board = TensorBoard(tmp_path / "file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        board.write(record(1, loss=1.0))
        board.close()
    assert any("TensorBoard events are incomplete" in str(one.message) for one in caught)


def test_not_finite_numbers_are_written(tmp_path):
    board = TensorBoard(tmp_path)
    board.write(record(1, loss=float("inf")))
    board.close()
    assert scalars(tmp_path) == [("train/loss", 1, float("inf"))]


def test_tensorboardx_is_imported_when_it_is_needed_and_torch_never(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from nnjax.training.tensorboard import TensorBoard\n"
        f"board = TensorBoard(Path({str(tmp_path)!r}))\n"
        "assert 'tensorboardX' not in sys.modules\n"
        "board.write({'step': 1, 'epoch': 1, 'split': 'train', 'loss': 1.0}); board.close()\n"
        "print('tensorboardX' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
