"""The copy task, parity and sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Addition, Copy, Parity
from nnjax.data.tasks.addition import draw_pairs
from nnjax.data.tasks.generated import distinct_rows, without_repeats
from nnjax.errors import UserError


def test_copy_asks_for_the_symbols_after_the_sign():
    data = Copy(delay=5, symbols=3, alphabet=4, train=30, validation=2, test=3).load()
    train = data.split("train")
    assert train["inputs"].shape == train["targets"].shape == (30, 11)
    written = data.vocabulary.decode_text(train["inputs"][0])
    assert written[3:] == "....>..."
    symbols = train["targets"][0, -3:]
    assert "".join(data.classes[one] for one in symbols) == written[:3]
    assert (train["targets"][:, :-3] == -1).all()
    assert (data.outputs, len(data.vocabulary)) == (4, 6)


def test_no_sequence_is_both_trained_and_tested_on():
    data = Copy(delay=1, symbols=6, alphabet=3, train=200, validation=0, test=100).load()
    train, test = (set(map(tuple, data.split(name)["inputs"])) for name in ("train", "test"))
    assert len(train) == 200
    assert not train & test


def test_a_larger_alphabet_has_numbers_for_names():
    data = Copy(delay=1, symbols=2, alphabet=12, train=3, validation=0, test=0).load()
    assert data.classes[-1] == "11"
    assert len(data.vocabulary) == 14


@pytest.mark.parametrize("targets", ["all", "last"])
def test_parity_counts_ones(targets):
    data = Parity(9, targets, train=100).load()
    train = data.split("train")
    expected = np.cumsum(train["inputs"], axis=1) % 2
    np.testing.assert_array_equal(
        train["targets"], expected if targets == "all" else expected[:, -1]
    )
    assert data.classes == ("even", "odd")
    assert data.outputs == len(data.vocabulary) == 2


@pytest.mark.parametrize("reverse", [False, True])
def test_sums_are_right(reverse):
    data = Addition(2, reverse, train=300, validation=20, test=20).load()
    for name in ("train", "validation", "test"):
        split = data.split(name)
        for source, read, written in zip(
            split["inputs"]["source"], split["inputs"]["target"], split["targets"], strict=True
        ):
            asked = data.vocabulary.decode_text(source)
            a, b = (asked[::-1] if reverse else asked).split("+")
            answer = data.target_vocabulary.decode_text(written)
            assert int(a) + int(b) == int(answer)
            assert data.target_vocabulary.decode(read) == ["<start>", *answer]
            assert data.target_vocabulary.decode(written) == [*answer, "<end>"]
    assert data.example(1)["inputs"]["source"].shape == (1, 5)
    assert data.example(1)["targets"].shape == (1, 4)


def test_no_sum_is_both_trained_and_tested_on_in_whichever_order():
    pairs = draw_pairs(np.random.default_rng(0), 55, 10)
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} == {
        (a, b) for b in range(10) for a in range(b + 1)
    }
    assert (pairs[:, 0] > pairs[:, 1]).any()
    assert (pairs[:, 0] < pairs[:, 1]).any()
    with pytest.raises(UserError, match="56 examples are wanted, but only 55 are different"):
        draw_pairs(np.random.default_rng(0), 56, 10)


@given(st.integers(0, 2**32 - 1))
def test_pairs_of_large_numbers_are_numbered_exactly(seed):
    below = 10**9
    pairs = draw_pairs(np.random.default_rng(seed), 20, below)
    assert (pairs >= 0).all()
    assert (pairs < below).all()


@given(st.integers(1, 40), st.integers(40, 2000))
def test_numbers_are_drawn_once(count, available):
    drawn = without_repeats(np.random.default_rng(0), count, available)
    assert len(set(drawn.tolist())) == count
    assert drawn.min() >= 0
    assert drawn.max() < available


def test_rows_repeat_only_where_there_are_too_few():
    generator = np.random.default_rng(0)
    assert len(np.unique(distinct_rows(generator, 100, 8, 2), axis=0)) == 100
    assert distinct_rows(generator, 100, 3, 2).shape == (100, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Copy(delay=0), "the delay must be at least 1"),
        (Copy(symbols=0), "the length must be at least 1"),
        (Copy(alphabet=1), "number of different symbols must be at least 2"),
        (Parity(0), "the length must be at least 1"),
        (Addition(0), "number of digits must be at least 1"),
        (Addition(1), "examples are wanted, but only 55 are different"),
        (Addition(test=-1), "number of test examples must be at least 0"),
    ],
)
def test_bad_options_are_refused(source, message):
    with pytest.raises(UserError, match=message):
        source.load()
