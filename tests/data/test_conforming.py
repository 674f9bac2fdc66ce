"""Data in the form that a trained model expects."""

import dataclasses

import numpy as np
import pytest

from nnjax.data import Bucketed, Dataset, Preprocess, RecordStream, Spec, Vocabulary, conform
from nnjax.errors import UserError

PREPROCESS = Preprocess(mean=(20.0,), std=(4.0,))


def temperatures(celsius, classes=("cold", "hot"), labels=None):
    labels = np.arange(len(celsius)) % len(classes) if labels is None else np.array(labels)
    inputs = np.array(celsius, np.float32)[:, None]
    return Dataset({"train": {"inputs": inputs, "targets": labels.astype(np.int32)}}, classes)


def spec_of(data, **options):
    sizes = {"train": data.size("train")}
    spec = Spec(data.stored, sizes, data.classes, PREPROCESS, vocabulary=data.vocabulary)
    return dataclasses.replace(spec, **options)


def test_the_recorded_statistics_take_the_place_of_those_of_the_data():
    """A warmer month is not scaled by its own mean."""
    spec = spec_of(temperatures([16, 24]))
    data = dataclasses.replace(temperatures([24, 28]), preprocess=Preprocess(mean=(26.0,)))
    conformed = conform(data, spec)
    inputs = conformed.prepare(conformed.split("train"))["inputs"]
    np.testing.assert_allclose(inputs, [[1.0], [2.0]])


def test_labels_count_the_recorded_classes():
    spec = spec_of(temperatures([1, 2, 3], ("cold", "hot", "warm")))
    data = conform(temperatures([1, 2], ("cold", "warm")), spec)
    assert data.classes == ("cold", "hot", "warm")
    assert data.split("train")["targets"].tolist() == [0, 2]


class Warm:
    """Records of the class "warm", the second of two."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"inputs": np.ones(1, np.float32), "targets": np.int32(1)}


def test_a_stream_conforms_too():
    stream = RecordStream({"train": Warm()}, ("cold", "warm"))
    spec = spec_of(temperatures([1, 2, 3], ("cold", "hot", "warm")))
    conformed = conform(stream, spec)
    (batch,) = conformed.batches("train", 3)
    assert batch["targets"].tolist() == [2, 2, 2]
    np.testing.assert_allclose(conformed.prepare(batch)["inputs"], np.full((3, 1), (1 - 20) / 4))


def test_padding_of_targets_stays():
    vocabulary = Vocabulary(("a", "b"))
    train = {"inputs": np.array([[0, 1]], np.int8), "targets": np.array([[1, -1]], np.int8)}
    data = Dataset({"train": train}, ("noun", "verb"), None, vocabulary=vocabulary)
    spec = spec_of(data, classes=("verb", "noun"), preprocess=None)
    assert conform(data, spec).split("train")["targets"].tolist() == [[0, -1]]


def test_texts_are_padded_to_the_recorded_length():
    vocabulary = Vocabulary(("a", "b"))

    def texts(width):
        inputs = np.zeros((2, width), np.int8)
        train = {"inputs": inputs, "targets": np.array([0, 1], np.int32)}
        return Dataset({"train": train}, ("x", "y"), None, vocabulary=vocabulary)

    spec = spec_of(texts(4), preprocess=None)
    assert conform(texts(3), spec).split("train")["inputs"].tolist() == [[0, 0, 0, -1]] * 2
    bucketed = conform(Bucketed(texts(3), (2, 3)), spec)
    assert bucketed.stored["inputs"].shape == (4,)
    (batch,) = bucketed.batches("train", 2)
    assert batch["inputs"].tolist() == [[0, 0, 0]] * 2
    with pytest.raises(UserError, match=r"has inputs \(5,\), .* trained on inputs \(4,\)"):
        conform(texts(5), spec)


def test_numbers_stored_with_another_offset_are_brought_to_the_recorded_one():
    data = dataclasses.replace(temperatures([0, 1]), preprocess=Preprocess(offset=(300.0,)))
    spec = spec_of(temperatures([0, 1]), preprocess=Preprocess(offset=(290.0,)))
    conformed = conform(data, spec)
    np.testing.assert_array_equal(conformed.split("train")["inputs"], [[10], [11]])
    assert conformed.preprocess == spec.preprocess


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (temperatures([1, 2], ("cold", "hott")), "a class 'hott', .*, did you mean 'hot'"),
        (dataclasses.replace(temperatures([1]), classes=None), "has numbers to predict, the model"),
        (
            Dataset({"train": {"inputs": np.ones((2, 3)), "targets": np.zeros(2, int)}}, ("cold",)),
            r"has inputs \(3,\), targets \(\) as an example, the model was trained on inputs",
        ),
        (
            Dataset(
                {"train": {"inputs": np.ones((1, 1), np.uint8), "targets": np.zeros(1, int)}},
                ("cold",),
            ),
            "the inputs are uint8, the model was trained on float32, which is scaled by another",
        ),
    ],
)
def test_data_that_the_model_cannot_take_is_refused(data, message):
    with pytest.raises(UserError, match=message):
        conform(data, spec_of(temperatures([1, 2])))


def test_another_vocabulary_is_refused():
    train = {"inputs": np.zeros((1, 2), np.int8), "targets": np.zeros(1, np.int32)}
    first, other = (
        Dataset({"train": train}, ("x",), None, vocabulary=Vocabulary(words))
        for words in (("a", "b"), ("a", "c"))
    )
    with pytest.raises(UserError, match="vocabulary"):
        conform(other, spec_of(first, preprocess=None))
