"""Images in folders, decoded at once or while training."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnjax.data import Augment, Dataset, ImageFolder
from nnjax.data.images.decoding import decode, image_size
from nnjax.errors import UserError


def save(path, height=6, width=8, value=None, mode="RGB"):
    """A PNG of one colour, or of noise that depends on the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    noise = np.random.default_rng(len(path.name)).integers(0, 256, shape, np.uint8)
    pixels = noise if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Three classes with 3, 2 and 1 images; each of its own grey value."""
    for index, name in enumerate(["ant/1", "ant/2", "ant/sub/3", "bee/1", "bee/2", "cow/1"]):
        save(tmp_path / f"{name}.png", value=10 * index)
    (tmp_path / "ant" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def values(split):
    return sorted(zip(split["inputs"][:, 0, 0, 0].tolist(), split["targets"].tolist(), strict=True))


def test_folders_are_classes(folder):
    data = ImageFolder(folder, test=0).load()
    assert isinstance(data, Dataset)
    assert data.classes == ("ant", "bee", "cow")
    assert data.split("train")["inputs"].shape == (6, 6, 8, 3)
    assert data.split("train")["inputs"].dtype == np.uint8
    assert values(data.split("train")) == [(0, 0), (10, 0), (20, 0), (30, 1), (40, 1), (50, 2)]


def test_splits_are_disjoint_and_mixed_by_the_seed(folder):
    data = ImageFolder(folder, test=2, validation=1).load()
    assert isinstance(data, Dataset)
    splits = [data.split(name) for name in ("train", "validation", "test")]
    assert [len(split["targets"]) for split in splits] == [3, 1, 2]
    assert len({pair for split in splits for pair in values(split)}) == 6
    unshuffled = ImageFolder(folder, test=2, seed=None).load()
    assert isinstance(unshuffled, Dataset)
    assert unshuffled.split("test")["targets"].tolist() == [1, 2]


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_folders_of_splits(tmp_path, validation):
    for split, count in (("train", 3), (validation, 2), ("test", 1)):
        for name in ("ant", "bee"):
            for index in range(count):
                save(tmp_path / split / name / f"{index}.png")
    data = ImageFolder(tmp_path).load()
    assert [data.size(name) for name in ("train", "validation", "test")] == [6, 4, 2]
    assert data.classes == ("ant", "bee")


def test_part_of_a_folder_of_a_split_holds_every_class(tmp_path):
    for split, count in (("train", 3), ("val", 6), ("test", 6)):
        for name in ("ant", "bee"):
            for index in range(count):
                save(tmp_path / split / name / f"{index}.png", value=index)
    for stream in (False, True):
        source = ImageFolder(tmp_path, validation=4, test=2, stream=stream)
        data = source.load()
        for name, shares in (("validation", [2, 2]), ("test", [1, 1])):
            (batch,) = data.batches(name, data.size(name))
            assert np.bincount(batch["targets"]).tolist() == shares
            assert source.spec().size(name) == sum(shares)


def test_hidden_files_and_copies_are_left_out_at_every_depth(folder):
    seen = ImageFolder(folder, test=0).load().size("train")
    image = (folder / "ant" / "1.png").read_bytes()
    for name in ["ant/.ipynb_checkpoints/1-checkpoint.png", "ant/sub/.trash/1.png",
                 "bee/__MACOSX/1.png", "bee/._1.png", "cow/~old~/1.png", "__MACOSX/ant/1.png",
                 ".ipynb_checkpoints/1.png", "lost+found/1.png"]:  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image)
    (folder / "cow" / "Thumbs.db").write_bytes(b"")
    data = ImageFolder(folder, test=0).load()
    assert (data.size("train"), data.classes) == (seen, ("ant", "bee", "cow"))


def test_an_image_that_is_in_two_splits_is_said(tmp_path, capsys):
    for split, values in (("train", (1, 2)), ("test", (2, 3))):
        for name, more in (("ant", 0), ("bee", 100)):
            for value in values:
                save(tmp_path / split / name / f"{value}.png", value=value + more)
    ImageFolder(tmp_path).load()
    assert "2 of the 4 examples of the test split are training" in capsys.readouterr().err


@pytest.mark.parametrize("channels", [1, 3])
def test_specification_agrees_with_the_data(folder, channels):
    for options in ({}, {"size": (4, 5)}, {"size": (4, 4), "stream": True, "validation": 1}):
        source = ImageFolder(folder, channels=channels, **options)
        data, spec = source.load(), source.spec()
        assert spec.stored == data.stored
        assert all(data.size(name) == spec.size(name) for name in ("train", "validation", "test"))


def test_the_stream_gives_the_same_images(folder):
    memory, stream = (ImageFolder(folder, size=(5, 5), stream=s).load() for s in (False, True))
    assert isinstance(memory, Dataset)
    for name in ("train", "test"):
        (batch,) = stream.batches(name, memory.size(name))  # pyright: ignore
        np.testing.assert_array_equal(batch["inputs"], memory.split(name)["inputs"])
        np.testing.assert_array_equal(batch["targets"], memory.split(name)["targets"])


def test_the_augmentation_goes_with_the_stream(folder):
    stream = ImageFolder(folder, augment=Augment(flip=True), stream=True).load()
    assert stream.augment.flip  # pyright: ignore


def test_images_of_mixed_size_are_refused_unless_a_size_is_given(folder):
    save(folder / "bee" / "wide.png", width=9)
    for stream in (False, True):
        with pytest.raises(UserError, match=r"pixels and .*--data\.size") as error:
            ImageFolder(folder, stream=stream).load()
        assert "6x9" in str(error.value)
        assert "wide.png" in str(error.value)
    assert ImageFolder(folder, size=(6, 8)).load().size("train") == 6


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda folder: (folder / "ant/1.png").write_bytes(b"none"), {}, "cannot be read as an im"),
        (
            lambda folder: (folder / "cow/1.png").write_bytes(
                (folder / "cow/1.png").read_bytes()[:50]
            ),
            {"size": (4, 4)},
            r"cow/1.png cannot be read as an image",
        ),
        (lambda folder: (folder / "dog").mkdir(), {}, "dog holds no images"),
        (lambda folder: None, {"size": (0, 3)}, "must be 1 pixel or more"),
        (lambda folder: None, {"standardise": True, "stream": True}, "standardise=True reads all"),
        (lambda folder: None, {"expand_shifts": True, "stream": True}, "data in memory"),
        (lambda folder: None, {"train": 9}, "train=9 asks for more"),
        (lambda folder: save(folder / "train/ant/1.png"), {}, "train holds one class only, ant;"),
    ],
)
def test_bad_folders_and_options_are_refused(folder, damage, options, message):
    damage(folder)
    with pytest.raises(UserError, match=message) as error:
        ImageFolder(folder, **options).load()
    assert "\n" not in str(error.value)


def test_a_folder_train_takes_the_place_of_the_classes_beside_it(folder):
    for name in ("dog", "eel"):
        save(folder / "train" / name / "1.png")
    assert ImageFolder(folder, test=0).load().classes == ("dog", "eel")


@pytest.mark.parametrize("name", [".", "bee", "ant/sub"])
def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch, name):
    forbidden, scandir = folder / name, os.scandir

    def refuse(path):
        if Path(path) == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=f"{forbidden} cannot be read: Permission denied"):
        ImageFolder(folder).load()


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no folders of images"):
        ImageFolder(tmp_path).load()
    with pytest.raises(UserError, match="there is no folder"):
        ImageFolder(tmp_path / "nowhere").load()


def test_a_class_that_training_does_not_have_is_refused(tmp_path):
    save(tmp_path / "train" / "ant" / "1.png")
    save(tmp_path / "test" / "ants" / "1.png")
    with pytest.raises(UserError, match="ants is no class of the training images, did you mean"):
        ImageFolder(tmp_path).load()


def test_a_damaged_image_of_a_stream_stops_it_with_its_name(folder):
    stream = ImageFolder(folder, size=(4, 4), stream=True, test=0, seed=None).load()
    stream.stored  # noqa: B018 - read while all is well  # pyright: ignore
    (folder / "cow/1.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"cow/1\.png cannot be read"):
        list(stream.batches("train", 6))  # pyright: ignore


class TestDecode:
    """One image file to pixels."""

    def test_pixels_are_kept_where_the_size_fits(self, tmp_path):
        pixels = save(tmp_path / "a.png")
        for size in (None, (6, 8)):
            np.testing.assert_array_equal(decode(tmp_path / "a.png", size, 3, "a"), pixels)

    def test_it_is_cut_about_the_center(self, tmp_path):
        image = np.zeros((4, 20, 3), np.uint8)
        image[:, 6:14] = 200
        Image.fromarray(image).save(tmp_path / "a.png")
        np.testing.assert_array_equal(
            decode(tmp_path / "a.png", (2, 2), 3, "a"), np.full((2, 2, 3), 200)
        )

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
    def test_any_colours_become_grey_or_rgb(self, tmp_path, mode):
        save(tmp_path / "a.png", value=77, mode=mode if mode != "LA" else "L")
        if mode == "LA":
            Image.new("LA", (8, 6), (77, 5)).save(tmp_path / "a.png")
        for channels in (1, 3):
            decoded = decode(tmp_path / "a.png", None, channels, "a")
            np.testing.assert_array_equal(decoded, np.full((6, 8, channels), 77))

    def test_a_palette_with_transparency(self, tmp_path):
        image = Image.new("P", (3, 2), 1)
        image.putpalette([0, 0, 0, 10, 20, 30])
        image.save(tmp_path / "a.png", transparency=b"\xff\x80")
        assert decode(tmp_path / "a.png", None, 3, "a")[0, 0].tolist() == [10, 20, 30]

    def test_a_turned_photograph_is_set_upright(self, tmp_path):
        image = np.zeros((16, 32, 3), np.uint8)
        image[:, :16] = 255
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(image).save(tmp_path / "a.jpg", exif=exif, quality=95)
        assert image_size(tmp_path / "a.jpg") == (32, 16)
        upright = decode(tmp_path / "a.jpg", None, 1, "a")
        assert upright.shape == (32, 16, 1)
        assert upright[:14].min() > 240
        assert upright[18:].max() < 15

    def test_more_than_8_bits_are_refused(self, tmp_path):
        Image.fromarray(np.full((2, 2), 40_000, np.uint16)).save(tmp_path / "a.png")
        with pytest.raises(UserError, match="a has more than 8 bits a channel"):
            decode(tmp_path / "a.png", None, 1, "a")


@pytest.mark.skipif("NNJAX_TEST_DATA" not in os.environ, reason="NNJAX_TEST_DATA is not set")
def test_real_photographs():
    data = ImageFolder(Path(os.environ["NNJAX_TEST_DATA"]) / "ants_bees", size=(32, 48)).load()
    assert data.classes == ("ants", "bees")
    assert data.stored["inputs"].shape == (32, 48, 3)


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "webp"])
def test_the_size_is_that_of_the_upright_image(tmp_path, ending):
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    path = tmp_path / f"turned.{ending}"
    image.save(path, exif=exif)
    assert image_size(path) == decode(path, None, 3, "it").shape[:2] == (40, 20)


def test_a_size_of_no_pixels_is_refused_before_images_are_read(folder):
    for read in (ImageFolder.load, ImageFolder.spec):
        with pytest.raises(UserError, match=r"size=\(0, 3\) must be 1 pixel or more"):
            read(ImageFolder(folder, size=(0, 3)))
