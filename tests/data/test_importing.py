"""Sets of one's own in TFDS format: written without TensorFlow, read back the same."""

import sys

import numpy as np
import pytest
from PIL import Image

from nnjax.data import Dataset, Idx, ImageFolder, Npz, Tfds, import_folder
from nnjax.data.images.cifar10 import CLASSES
from nnjax.data.images.idx import write_idx
from nnjax.errors import UserError

pytest.importorskip("tensorflow_datasets")

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def same(first, second):
    assert isinstance(first, Dataset)
    assert isinstance(second, Dataset)
    assert first.classes == second.classes
    assert set(first.splits) == set(second.splits)
    for name, split in first.splits.items():
        for key, array in split.items():
            other = second.splits[name][key]
            np.testing.assert_array_equal(array, other)
            assert array.dtype == other.dtype


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def sets(tmp_path):
    return tmp_path / "sets"


def test_idx_files(source, sets):
    for split, count in (("train", 6), ("t10k", 3)):
        write_idx(source / f"{split}-images", IMAGES[:count])
        write_idx(source / f"{split}-labels", LABELS[:count])
    folder = import_folder("my_digits", source, sets)
    assert folder == sets / "my_digits" / "1.0.0"
    same(Tfds("my_digits", sets).load(), Idx(source).load())
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("stream", [False, True])
def test_it_can_be_split_shuffled_and_streamed(source, sets, stream):
    for split, count in (("train", 6), ("t10k", 3)):
        write_idx(source / f"{split}-images", IMAGES[:count])
        write_idx(source / f"{split}-labels", LABELS[:count])
    import_folder("my_digits", source, sets)
    options = {"train": 3, "validation": 2, "test": 1, "seed": 4}
    expected = Idx(source, **options).load()
    tfds = Tfds("my_digits", sets, stream=stream, **options)
    data = tfds.load()
    assert tfds.spec().stored == data.stored == expected.stored
    for name in ("train", "validation", "test"):
        size = expected.size(name)
        assert data.size(name) == tfds.spec().size(name) == size
        if stream:
            (batch,) = data.batches(name, size)  # pyright: ignore
            np.testing.assert_array_equal(batch["inputs"], expected.split(name)["inputs"])
            np.testing.assert_array_equal(batch["targets"], expected.split(name)["targets"])
    if not stream:
        same(data, expected)


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        (GENERATOR.normal(size=(6, 3)).astype(np.float32), GENERATOR.normal(size=(6, 2))),
        (GENERATOR.normal(size=(6, 3)).astype(np.float32), GENERATOR.normal(size=6)),
        (GENERATOR.integers(-9, 9, (6, 2, 2)).astype(np.int32), LABELS),
        (GENERATOR.integers(0, 256, (6, 3, 4, 3), np.uint8), LABELS),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_arrays(source, sets, inputs, targets, as_file):
    path = source / "data.npz"
    np.savez(path, inputs=inputs, targets=targets)
    import_folder("my_arrays", path if as_file else source, sets)
    same(Tfds("my_arrays", sets).load(), Npz(path).load())


def test_cifar10_binaries(source, sets):
    records = GENERATOR.integers(0, 10, (4, 3073)).astype(np.uint8)
    records.tofile(source / "data_batch_1.bin")
    import_folder("my_cifar", source, sets)
    data = Tfds("my_cifar", sets, test=0).load()
    assert isinstance(data, Dataset)
    assert data.classes == CLASSES
    planes = data.split("train")["inputs"].transpose(0, 3, 1, 2).reshape(4, -1)
    np.testing.assert_array_equal(planes, records[:, 1:])


def test_images_of_mixed_size(source, sets):
    for index, name in enumerate(["ant", "ant", "bee", "bee"]):
        (source / name).mkdir(exist_ok=True)
        pixels = GENERATOR.integers(0, 256, (8 + index, 9, 3), np.uint8)
        Image.fromarray(pixels).save(source / name / f"{index}.png")
    import_folder("my_photos", source, sets)
    with pytest.raises(UserError, match=r"--data\.size"):
        Tfds("my_photos", sets).load()
    for channels in (1, 3):
        given = {"size": (4, 4), "channels": channels}
        same(Tfds("my_photos", sets, **given).load(), ImageFolder(source, **given).load())


def test_images_of_all_classes_are_in_every_split(source, sets):
    for place, name in enumerate(["ant", "bee", "cow"]):
        (source / name).mkdir()
        for index in range(10):
            pixels = np.full((2, 2, 3), 10 * place + index, np.uint8)
            Image.fromarray(pixels).save(source / name / f"{index}.png")
    import_folder("my_animals", source, sets)
    same(Tfds("my_animals", sets, seed=None).load(), ImageFolder(source).load())
    for seed in (None, 0):
        data = Tfds("my_animals", sets, seed=seed).load()
        for name in ("train", "test"):
            assert set(data.split(name)["targets"]) == {0, 1, 2}  # pyright: ignore


def write_damaged(folder):
    for name in ("ant", "bee"):
        (folder / name).mkdir()
        Image.fromarray(IMAGES[0]).save(folder / name / "1.png")
    (folder / "bee" / "1.png").write_bytes(b"none")


@pytest.mark.parametrize(
    ("name", "prepare", "message"),
    [
        ("My-Set", None, "'My-Set' cannot name a set"),
        ("mnist", None, "TFDS itself has a set 'mnist'"),
        ("mine", None, "has no folders of images"),
        ("mine", write_damaged, "cannot be read as an image"),
        ("mine", lambda folder: (folder / "data_batch_1.bin").write_bytes(b"1"), "is truncated"),
        ("mine", lambda folder: write_idx(folder / "train-images", IMAGES), "has no idx file"),
        ("mine", lambda folder: np.savez(folder / "a.npz", a=IMAGES), "must hold the arrays"),
        ("mine", lambda f: [np.savez(f / n, a=IMAGES) for n in ("a", "b")], "2 npz files"),
        ("mine", lambda folder: folder.rmdir(), "there is no folder"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(source, sets, name, prepare, message):
    if prepare:
        prepare(source)
    with pytest.raises(UserError, match=message) as error:
        import_folder(name, source, sets)
    assert "\n" not in str(error.value)
    assert not sets.exists()


def test_a_failure_while_writing_leaves_no_set(source, sets, monkeypatch):
    np.savez(source / "data.npz", inputs=IMAGES, targets=LABELS)

    def full(pixels):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nnjax.data.importing._png", full)
        with pytest.raises(UserError, match=r"cannot be written to .*No space left"):
            import_folder("mine", source, sets)
    assert not list(sets.glob("mine/*"))
    import_folder("mine", source, sets)
    assert Tfds("mine", sets).load().size("train") == 5


def test_a_set_that_is_there_is_kept(source, sets):
    np.savez(source / "data.npz", inputs=IMAGES, targets=LABELS)
    import_folder("mine", source, sets)
    np.savez(source / "data.npz", inputs=IMAGES[:2], targets=LABELS[:2])
    with pytest.raises(UserError, match="there is a set 'mine'"):
        import_folder("mine", source, sets)
    assert Tfds("mine", sets, test=0).load().size("train") == 6


def test_arrays_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    np.savez(tmp_path / "odd.npz", x_train=IMAGES, y_train=LABELS[:4])
    with pytest.raises(UserError, match="differ in length"):
        import_folder("odd", tmp_path, tmp_path / "sets")
    np.savez(
        tmp_path / "odd.npz",
        x_train=IMAGES[..., None],
        y_train=LABELS,
        x_test=IMAGES[..., None].astype(np.float32),
        y_test=LABELS,
    )
    with pytest.raises(UserError, match="the inputs of split"):
        import_folder("odd", tmp_path, tmp_path / "sets")
    assert not (tmp_path / "sets").exists()
