"""Checkpoints: exact, never silently wrong, whatever dies or breaks in between."""

import errno
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from etils import epath
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.runs import orbax_items
from nnjax.runs.checkpoints import Checkpoints, set_all_aside


def make_tree(seed: int = 0):
    """A state with everything that a leaf can be."""
    kernel = jax.random.normal(jax.random.key(seed), (12, 5))
    params = {"hidden": {"kernel": kernel, "bias": jnp.full(5, seed, jnp.bfloat16)}}
    optimizer = optax.chain(optax.clip(1.0), optax.adamw(1e-3))
    state = State(
        step=jnp.int32(seed),
        params=params,
        model_state={},
        optimizer_state=optimizer.init(params),
        key=jax.random.key(seed),
    )
    others = {
        "keys": jax.random.split(jax.random.key(seed, impl="rbg"), 3),
        "nothing": None,
        "no_elements": jnp.zeros((0, 4)),
        "mask": jnp.array([True, False]),
    }
    return {"state": state, "best": params, "others": others}


def small_tree(step: int):
    """Values that are a function of the step."""
    return {
        "step": jnp.int32(step),
        "values": jnp.arange(500.0) * step,
        "key": jax.random.key(step),
    }


def bare(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(bare(one), bare(other))


def save_steps(directory, *steps):
    with Checkpoints(directory, keep_last=len(steps)) as checkpoints:
        for step in steps:
            checkpoints.save(step, small_tree(step), {"position": step})


def restore(directory, **options):
    with Checkpoints(directory) as checkpoints:
        return checkpoints.restore(jax.eval_shape(small_tree, 0), **options)


def test_restores_exactly_what_was_saved(tmp_path):
    tree, meta = make_tree(3), {"position": {"epoch": 2, "seen": [1, 2]}, "best": float("inf")}
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(7, tree, meta)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.latest_step() == 7
        step, restored, restored_meta = checkpoints.restore(jax.eval_shape(make_tree))
    assert (step, restored_meta) == (7, meta)
    assert_same(restored, tree)
    assert jax.random.key_impl(restored["others"]["keys"]) == "rbg"


def test_relative_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_steps(Path("here"), 1)
    assert restore(Path("here"))[0] == 1


def test_nothing_saved(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.restore(make_tree()) is None
    assert not (tmp_path / "checkpoints").exists()


def test_keeps_the_last(tmp_path):
    with Checkpoints(tmp_path, keep_last=2) as checkpoints:
        for step in (1, 5, 6, 20):
            checkpoints.save(step, small_tree(step), {})
        checkpoints.wait()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["20", "6"]
        step, tree, _ = checkpoints.restore(jax.eval_shape(small_tree, 0), step=6)
    assert step == 6
    assert_same(tree, small_tree(6))


def test_a_saved_step_is_left_as_it_is(tmp_path):
    save_steps(tmp_path, 4)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(4, small_tree(5), {})
    assert_same(restore(tmp_path)[1], small_tree(4))


def test_arrays_may_be_donated_at_once(tmp_path):
    update = jax.jit(lambda tree: jax.tree.map(lambda x: x * 3 + 1, tree), donate_argnums=0)
    tree = {"a": jnp.arange(300_000.0), "b": jnp.arange(7)}
    expected = []
    with Checkpoints(tmp_path, keep_last=6) as checkpoints:
        for step in range(6):
            expected.append(jax.tree.map(np.array, tree))
            checkpoints.save(step, tree, {})
            for _ in range(3):
                tree = update(tree)
            jax.block_until_ready(tree)
        for step in range(6):
            _, restored, _ = checkpoints.restore(tree, step=step)
            assert_same(restored, expected[step])


def mesh_sharding(count, *axes):
    mesh = jax.make_mesh(
        (count,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count]
    )
    return NamedSharding(mesh, PartitionSpec(*axes))


@pytest.mark.parametrize(("saved_on", "restored_on"), [(4, 2), (4, 1), (1, 4), (2, 4)])
def test_restores_onto_other_devices(tmp_path, saved_on, restored_on):
    def shardings(count):
        spread, everywhere = mesh_sharding(count, "data"), mesh_sharding(count)
        return {"spread": spread, "copied": everywhere, "key": everywhere}

    values = {"spread": jnp.arange(8.0), "copied": jnp.arange(3), "key": jax.random.key(1)}
    tree = jax.device_put(values, shardings(saved_on))
    abstract = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        tree,
        shardings(restored_on),
    )
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, tree, {})
        _, restored, _ = checkpoints.restore(abstract)
    assert_same(restored, tree)
    for name, sharding in shardings(restored_on).items():
        assert restored[name].sharding.is_equivalent_to(sharding, restored[name].ndim)


def test_restored_arrays_may_be_donated(tmp_path):
    """No two devices may hold the same memory: each updates its copy in place."""
    values = jax.device_put(jnp.arange(100_000.0), mesh_sharding(4))
    update = jax.jit(lambda x: x + 1, donate_argnums=0)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"values": values}, {})
        restored = checkpoints.restore({"values": values})[1]["values"]
        for _ in range(5):
            restored = update(restored)
    for shard in restored.addressable_shards:
        np.testing.assert_array_equal(shard.data, np.arange(100_000.0) + 5)


# Damage ------------------------------------------------------------------------------------------


def delete(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(part):
    def flip_bits(path):
        content = bytearray(path.read_bytes())
        if content:
            content[int(part * (len(content) - 1))] ^= 0x15
        path.write_bytes(content)

    return flip_bits


DAMAGES = [delete, empty, truncate, flip(0.0), flip(0.3), flip(0.5), flip(0.8), flip(1.0)]


def test_damage_of_any_file_is_found_or_harmless(tmp_path):
    original = tmp_path / "original"
    save_steps(original, 10, 20)
    files = [path.relative_to(original) for path in (original / "20").rglob("*") if path.is_file()]
    fell_back = 0
    for number, (file, damage) in enumerate((f, d) for f in files for d in DAMAGES):
        directory = tmp_path / str(number)
        shutil.copytree(original, directory)
        damage(directory / file)
        messages = []
        step, tree, meta = restore(directory, on_fallback=messages.append)
        assert_same(tree, small_tree(step))
        assert meta == {"position": step}
        assert step == 20 or ("step 20 is damaged" in messages[0] and len(messages) == 1)
        fell_back += step == 10
        shutil.rmtree(directory)
    assert fell_back >= 2 * len(DAMAGES)


def test_missing_parts(tmp_path):
    save_steps(tmp_path, 10, 20)
    shutil.rmtree(tmp_path / "20" / "arrays")
    assert restore(tmp_path)[0] == 10
    shutil.rmtree(tmp_path / "20")
    (tmp_path / "20").mkdir()
    assert restore(tmp_path)[0] == 10


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "somewhere"),
        OSError(errno.EMFILE, "Too many open files"),
        ValueError("Error reading: Input/output error [os_error_code='5']"),
    ],
)
@pytest.mark.parametrize(
    ("owner", "function"),
    [(orbax.checkpoint.CheckpointManager, "restore"), (Path, "read_bytes")],
)
def test_what_may_not_be_read_is_not_damaged(tmp_path, monkeypatch, error, owner, function):
    save_steps(tmp_path, 10, 20)

    def refuse(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, function, refuse)
        with pytest.raises(UserError, match=r"cannot read .*/20: (Perm|Too many|Input/output)"):
            restore(tmp_path, on_fallback=pytest.fail)
    assert restore(tmp_path, on_fallback=pytest.fail)[0] == 20


def test_all_damaged(tmp_path):
    save_steps(tmp_path, 10, 20)
    for record in tmp_path.glob("*/record/metadata"):
        truncate(record)
    with pytest.raises(UserError, match=r"every checkpoint in .* is damaged \(.+\); start"):
        restore(tmp_path, on_fallback=pytest.fail)
    with pytest.raises(UserError, match=r"the checkpoint of step 10 in .* is damaged"):
        restore(tmp_path, step=10)
    assert {path.name for path in tmp_path.iterdir()} == {"10", "20"}


def test_no_such_step(tmp_path):
    save_steps(tmp_path, 10, 20)
    with pytest.raises(UserError, match=r"no checkpoint of step 15 in .*; there are: 20, 10"):
        restore(tmp_path, step=15)


def test_a_run_goes_on_after_falling_back(tmp_path):
    save_steps(tmp_path, 10, 20)
    truncate(tmp_path / "20" / "record" / "metadata")
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(jax.eval_shape(small_tree, 0))[0] == 10
        for step in (15, 20):
            checkpoints.save(step, small_tree(step), {})
    assert {path.name for path in tmp_path.iterdir()} == {"15", "20", "set-aside-20"}
    assert_same(restore(tmp_path)[1], small_tree(20))


def test_going_back_to_an_earlier_step(tmp_path):
    save_steps(tmp_path, 10, 20)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.restore(jax.eval_shape(small_tree, 0), step=10)
        checkpoints.save(12, small_tree(12), {})
        checkpoints.wait()
        assert checkpoints.latest_step() == 12
    assert_same(restore(tmp_path)[1], small_tree(12))
    assert (tmp_path / "set-aside-20").exists()


def test_other_arrays_are_another_config_not_damage(tmp_path):
    save_steps(tmp_path, 10)
    abstract = jax.eval_shape(small_tree, 0)
    wider = {**abstract, "values": jax.ShapeDtypeStruct((600,), jnp.float32)}
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(UserError, match=r"'values' is float32\[500\], and float32\[600\]"):
            checkpoints.restore(wider)
        with pytest.raises(UserError, match="'more' is not in it"):
            checkpoints.restore({**abstract, "more": abstract["step"]})
        with pytest.raises(UserError, match=r"'step' is int32\[\], and nothing"):
            checkpoints.restore({name: abstract[name] for name in ("values", "key")})


# Names -------------------------------------------------------------------------------------------

NAMES = [
    *("run [a]", "x[1]", "[!a]", "*", "**", "?", "~", "~root", "-x", "a b", "a\nb", "\U0001f600"),
    *("#", "%20", "a:b", "{a}", "$HOME", "'q\"", "set-aside-1", "7", "file:", "\u00e9"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_data_and_no_pattern(tmp_path, name):
    directory = tmp_path / name / name / "checkpoints"
    save_steps(directory, 10, 20)
    assert_same(restore(directory, on_fallback=pytest.fail)[1], small_tree(20))
    (tmp_path / name).rename(tmp_path / "plain")
    assert restore(tmp_path / "plain" / name / "checkpoints")[0] == 20


def test_a_pattern_does_not_take_in_the_arrays_of_a_neighbour(tmp_path):
    """The unfinished arrays of another run would match "run ?", and become a part of this one."""
    with Checkpoints(tmp_path / "run 1") as one, Checkpoints(tmp_path / "run ?") as other:
        one.save(5, {"a": jnp.zeros(1000), "b": jnp.zeros(2)}, {})
        other.save(5, {"a": jnp.ones(1000)}, {})
    kept = [path.name for path in (tmp_path / "run ?" / "5" / "arrays").iterdir()]
    assert kept.count("ocdbt.process_0") == 1
    assert_same(
        Checkpoints(tmp_path / "run ?").restore({"a": jnp.zeros(1000)})[1], {"a": jnp.ones(1000)}
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a\\b", "TensorStore takes a backslash for a slash"),
        ("/gs/bucket", "Orbax takes /gs for a cloud storage"),
        ("a\0b", "a path holds no NUL"),
        ("a\udcffb", "the name is not UTF-8"),
        ("x/" * 2500, "its path has 5,0"),
    ],
)
def test_a_name_that_orbax_cannot_take_is_refused_at_once(tmp_path, name, problem):
    with pytest.raises(UserError, match=re.escape(problem)) as raised:
        Checkpoints(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_save_without_a_manifest_is_an_error(tmp_path, monkeypatch):
    class Blind(type(epath.Path(tmp_path))):
        def glob(self, pattern):
            return iter(())

    monkeypatch.setattr(orbax_items, "_with_literal_glob", Blind)
    with pytest.raises(UserError, match=r"cannot save a checkpoint in .*: Orbax wrote no manifest"):
        save_steps(tmp_path, 10)
    assert restore(tmp_path) is None


def test_what_was_set_aside_does_not_pile_up(tmp_path):
    for step in (10, 20, 30):
        save_steps(tmp_path, step)
        truncate(tmp_path / str(step) / "record" / "metadata")
        with Checkpoints(tmp_path) as checkpoints, pytest.raises(UserError):
            checkpoints.restore(jax.eval_shape(small_tree, 0))
        set_all_aside(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [f"set-aside-{step}"]


def test_no_checkpoint_is_renamed_or_deleted_through_a_link(tmp_path):
    save_steps(tmp_path / "mine", 10)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "10").symlink_to(tmp_path / "mine" / "10")
    with (
        Checkpoints(tmp_path / "run", keep_last=1) as checkpoints,
        pytest.raises(UserError, match=r"run/10 is a symbolic link to .*mine/10; checkpoints are"),
    ):
        checkpoints.save(20, small_tree(20), {})
    assert restore(tmp_path / "mine")[0] == 10


# Disks and kills ---------------------------------------------------------------------------------


def test_what_a_killed_save_left_is_cleared(tmp_path):
    save_steps(tmp_path, 10)
    shutil.copytree(tmp_path / "10", tmp_path / "20.orbax-checkpoint-tmp")
    assert restore(tmp_path)[0] == 10
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(20, small_tree(20), {})
    assert {path.name for path in tmp_path.iterdir()} == {"10", "20"}
    assert_same(restore(tmp_path)[1], small_tree(20))


def test_disk_error_while_saving(tmp_path):
    directory = tmp_path / "checkpoints"
    save_steps(directory, 10)
    large = {"values": jax.random.normal(jax.random.key(0), (100_000,))}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoints = Checkpoints(directory, keep_last=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        checkpoints.save(20, large, {})
        with pytest.raises(UserError, match=f"cannot save a checkpoint in {directory}: File too"):
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_same(restore(directory)[1], small_tree(10))
    checkpoints.save(20, large, {})
    checkpoints.close()
    assert [path.name for path in directory.iterdir()] == ["20"]


def test_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        Checkpoints(tmp_path / "file" / "checkpoints") as checkpoints,
        pytest.raises(UserError, match=r"cannot save a checkpoint in .*Not a directory"),
    ):
        checkpoints.save(1, small_tree(1), {})


SAVE_FOREVER = """
import itertools, sys
import jax, jax.numpy as jnp
from nnjax.runs.checkpoints import Checkpoints

def small_tree(step):
    values = jnp.arange(500.0) * step
    return {"step": jnp.int32(step), "values": values, "key": jax.random.key(step)}

with Checkpoints(sys.argv[1]) as checkpoints:
    restored = checkpoints.restore(jax.eval_shape(small_tree, 0), on_fallback=sys.exit)
    for step in itertools.count(restored[0] + 1 if restored else 1):
        checkpoints.save(step, small_tree(step), {"position": step})
        print(step, flush=True)
"""


def test_sigkill_at_any_moment(tmp_path):
    draw = random.Random(0)
    newest = 0
    for _ in range(4):
        command = [sys.executable, "-W", "error", "-c", SAVE_FOREVER, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begun = int(process.stdout.readline())
        time.sleep(draw.uniform(0.05, 0.25))
        process.kill()
        output, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not errors, errors.decode()
        started = int((output.split() or [begun])[-1])
        step, tree, meta = restore(tmp_path, on_fallback=pytest.fail)
        assert meta == {"position": step}
        assert_same(tree, small_tree(step))
        # All were complete but the last that had begun, and one whose number was not printed.
        assert max(newest, started - 1) <= step <= started + 1
        newest = step


def test_saving_and_restoring_print_nothing(tmp_path):
    program = SAVE_FOREVER.replace("itertools.count(", "range(3 + 0 * (").replace(
        "else 1)", "else 1))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    assert (done.stdout, done.stderr) == ("0\n1\n2\n", "")


FILL_THE_DISK = """
import resource, sys
import numpy as np
from nnjax.errors import UserError
from nnjax.runs.checkpoints import Checkpoints

noise = np.random.default_rng(0)
arrays = {f"layer{i}": noise.normal(size=3000 + 500 * i) for i in range(40)}
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    with Checkpoints(sys.argv[1]) as checkpoints:
        checkpoints.save(1, arrays, {})
except UserError as error:
    print(error)
"""


def test_writes_that_fail_side_by_side_are_told_in_one_sentence(tmp_path):
    """TensorStore's threads and asyncio would each add a traceback for every array."""
    for attempt in range(3):
        command = [sys.executable, "-c", FILL_THE_DISK, str(tmp_path / str(attempt))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.count("\n") == 1
        assert done.stdout.startswith("cannot save a checkpoint in ")
        assert done.stderr == ""
