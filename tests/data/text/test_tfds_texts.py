"""Texts in sets of TensorFlow Datasets, which a test writes first."""

from pathlib import Path

import pytest

from nnjax.data import Dataset, LabelledText, ParallelText, Text, Tfds
from nnjax.data.tfds import quiet
from nnjax.errors import UserError

tfds = pytest.importorskip("tensorflow_datasets")


def write(folder, name, features, keys, splits):
    """Writes a set in the format array_record."""

    class Written(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def __init__(self, **options):
            self.name = name
            super().__init__(**options)

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=features, supervised_keys=keys, disable_shuffling=True
            )

        def _split_generators(self, dl_manager):
            return {split: enumerate(examples) for split, examples in splits.items()}

        def _generate_examples(self):
            raise NotImplementedError

    with quiet():
        Written(data_dir=str(folder), file_format="array_record").download_and_prepare()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a set of reviews, one of translations, and one of text alone."""
    folder, kinds = tmp_path_factory.mktemp("sets"), tfds.features
    label = kinds.ClassLabel(names=["negative", "positive"])
    write(
        folder,
        "films",
        kinds.FeaturesDict({"title": kinds.Text(), "text": kinds.Text(), "label": label}),
        ("text", "label"),
        {
            "train": [
                {"title": "Ü", "text": "a good film", "label": 1},
                {"title": "B", "text": "bad", "label": 0},
            ],
            "test": [{"title": "C", "text": "good good", "label": 1}],
        },
    )
    write(
        folder,
        "hidden",
        kinds.FeaturesDict({"text": kinds.Text(), "label": label}),
        ("text", "label"),
        {"train": [{"text": "who knows", "label": -1}]},
    )
    write(
        folder,
        "signs",
        kinds.Translation(languages=("de", "en")),
        ("de", "en"),
        {"train": [{"de": "ein Hund", "en": "a dog"}, {"de": "Halt", "en": "stop now please"}]},
    )
    plays = {"train": [{"text": "To be or"}], "test": [{"text": "not to be"}]}
    write(folder, "plays", kinds.FeaturesDict({"text": kinds.Text()}), None, plays)
    return folder


@pytest.fixture(autouse=True)
def found(folder, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))


def written(data, split, name):
    ids = data.split(split)["inputs"][name] if name else data.split(split)["inputs"]
    return [" ".join(data.vocabulary.decode(row)) for row in ids]


def test_labelled_texts():
    data = LabelledText(Path("tfds:films"), seed=None).load()
    assert isinstance(data, Dataset)
    assert data.classes == ("negative", "positive")
    assert written(data, "train", None) == ["a good film", "bad"]
    assert data.split("train")["targets"].tolist() == [1, 0]
    assert data.split("test")["targets"].tolist() == [1]


def test_features_are_chosen_by_name():
    data = LabelledText(Path("tfds:films"), "label", ("title", "text"), seed=None).load()
    assert written(data, "train", None) == ["Ü a good film", "B bad"]


def test_translations():
    options = {"source": "en", "target": "de", "seed": None, "minimum_count": 1}
    text = ParallelText(Path("tfds:signs"), **options)
    assert text.sentences()["train"]["target"].tolist() == ["ein Hund", "Halt"]
    assert written(text.load(), "train", "source") == ["a dog", "stop now please"]


def test_one_text_of_all_splits():
    data = Text(Path("tfds:plays"), length=4, validation=0, test=0).load()
    assert sorted(set("To be or\nnot to be")) == sorted(data.vocabulary.words)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (LabelledText(Path("tfds:films"), "lable").load, "no feature 'lable', did you mean"),
        (LabelledText(Path("tfds:hidden")).load, "'label' -1, which is none of the 2 classes"),
        (LabelledText(Path("tfds:plays")).load, "does not say what to predict from what"),
        (ParallelText(Path("tfds:signs"), "fr").load, "no feature 'fr'; it has de, en"),
        (Text(Path("tfds:films")).load, "has 2 features of text, and one is wanted"),
        (Text(Path("tfds:nothing_such")).load, "no TFDS set 'nothing_such'"),
        (Tfds("films").load, "is text.*--data.path tfds:films"),
    ],
)
def test_what_does_not_fit_is_refused(load, message):
    with pytest.raises(UserError, match=message) as error:
        load()
    assert "\n" not in str(error.value)
