"""Exported models reload to the same numbers, and damaged ones are refused in a sentence."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from nnjax import export
from nnjax.data import Addition, Dataset, Preprocess
from nnjax.data.text.digit_names import VOCABULARY
from nnjax.data.text.windows import Windowing
from nnjax.data.vocabulary import Vocabulary
from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import CNN, MLP, Captioner, EncoderDecoder, LanguageModel
from nnjax.optimizers import SGD
from nnjax.runs import data_json
from nnjax.training import Training
from nnjax.training.experiment import fit_to_data


class Normalised(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.BatchNorm(use_running_average=not train, name="norm")(x.reshape(x.shape[0], -1))
        return nn.Dense(3)(x)


def make(model, precision="float32"):
    random = np.random.default_rng(0)
    train = {
        "inputs": random.integers(0, 256, (20, 12, 12, 1), np.uint8),
        "targets": random.integers(0, 3, 20).astype(np.int32),
    }
    preprocess = Preprocess(mean=(0.3,), std=(0.2,), permutation_seed=1)
    data = Dataset({"train": train}, ("a", "b", "c"), preprocess)
    learner = Supervised(model=model, optimizer=SGD(learning_rate=0.1), precision=precision)
    return learner, jax.jit(learner.init)(jax.random.key(0), data.example()), data


def predictions(learner, state, data, inputs):
    prepared = data.prepare({"inputs": inputs})["inputs"]
    return jax.jit(learner.predict)(state, prepared)


@pytest.mark.parametrize(
    "model",
    [
        MLP(features=(5,), outputs=3),
        CNN(features=(2,), kernel_sizes=(3,), hidden=(4,), outputs=3),
        CNN(features=(2,), kernel_sizes=(3,), padding="SAME", convolutions=2, skip=True, outputs=3),
    ],
    ids=["mlp", "cnn", "padded cnn"],
)
def test_function_takes_stored_inputs_of_any_batch_size(model, tmp_path):
    learner, state, data = make(model)
    files = export.export(learner, state, data, tmp_path / "out")
    assert [file.name for file in files] == [export.PARAMETERS, export.FUNCTION, export.DESCRIPTION]
    function = export.load_function(files[1])
    for count in (1, 2, 7):
        inputs = data.split("train")["inputs"][:count]
        expected = predictions(learner, state, data, inputs)
        np.testing.assert_allclose(function(inputs), expected, rtol=1e-5, atol=1e-6)
    described = json.loads(files[2].read_text())
    assert described["inputs"] == {"shape": ["batch", 12, 12, 1], "dtype": "uint8"}
    assert described["outputs"]["shape"] == ["batch", 3]
    assert described["platforms"] == ["cpu", "cuda", "tpu"]
    assert described["classes"] == ["a", "b", "c"]


def text():
    tokens = np.random.default_rng(0).integers(0, 5, 200)
    return Windowing(length=6, lanes=2).windows(tokens, Vocabulary(tuple("abcde")))


def captions():
    ids = np.zeros((4, 3), np.int32)
    images = np.zeros((4, 12, 12, 1), np.uint8)
    inputs = {"source": images, "target": ids}
    splits = {"train": {"inputs": inputs, "targets": ids}}
    return Dataset(splits, target_vocabulary=VOCABULARY, preprocessed="source")


def sums():
    return Addition(digits=1, train=10, validation=0, test=0).load()


LSTM, GRU = Recurrent(LSTMCell(4)), Recurrent(GRUCell(3))
SEEING = CNN(features=(2,), kernel_sizes=(3,), hidden=(), outputs=4)

SEQUENCES = {
    "language model": (text, LanguageModel(LSTM)),
    "encoder-decoder": (sums, EncoderDecoder(LSTM, LSTM)),
    "attention": (sums, EncoderDecoder(LSTM, GRU, "additive", embedding=3)),
    "captioner": (captions, Captioner(SEEING, GRU)),
}


@pytest.mark.parametrize(
    "name",
    ["attention", *slow("language model", "encoder-decoder", "captioner")],
)
def test_sequence_models_of_any_batch_size(name, tmp_path):
    load, model = SEQUENCES[name]
    data = load()
    learner = fit_to_data(Supervised(model=model), data, Training(epochs=1, batch_size=2))
    state = jax.jit(learner.init)(jax.random.key(0), data.example(2))
    # What a run records of its data is enough.
    recorded = data_json.from_json(json.loads(json.dumps(data_json.to_json(data))))
    files = export.export(learner, state, recorded, tmp_path)
    function = export.load_function(files[1])
    arrays = data.split("train")
    for count in (1, 3):
        inputs = data.take(arrays, np.arange(count))["inputs"]
        expected = predictions(learner, state, data, inputs)
        np.testing.assert_allclose(function(inputs), expected, rtol=1e-5, atol=1e-6)


def test_parameters_by_name_and_back(tmp_path):
    learner, state, data = make(MLP(features=(5,), outputs=3))
    file = export.export(learner, state, data, tmp_path)[0]
    loaded = export.load_parameters(file)
    np.testing.assert_array_equal(loaded["hidden1"]["kernel"], state.params["hidden1"]["kernel"])
    fresh = jax.eval_shape(learner.init, jax.random.key(9), data.example()).params
    imported = export.import_parameters(file, fresh)
    assert jax.tree.structure(imported) == jax.tree.structure(fresh)
    jax.tree.map(np.testing.assert_array_equal, imported, state.params)


def test_batch_statistics_are_exported_beside_the_parameters(tmp_path):
    learner, state, data = make(Normalised())
    moved = jax.tree.map(lambda leaf: leaf + 0.25, state.model_state)
    state = state.replace(model_state=moved)
    files = export.export(learner, state, data, tmp_path)
    assert "norm" in export.load_parameters(files[0])["batch_stats"]
    jax.tree.map(
        np.testing.assert_array_equal,
        export.import_parameters(files[0], state.params),
        state.params,
    )
    both = {**state.params, **state.model_state}
    jax.tree.map(np.testing.assert_array_equal, export.import_parameters(files[0], both), both)


def test_bfloat16(tmp_path):
    learner, state, data = make(MLP(features=(5,), outputs=3), precision="bfloat16")
    export.export(learner, state, data, tmp_path)


def test_average_is_what_is_exported(tmp_path):
    learner, state, data = make(MLP(features=(5,), outputs=3))

    @dataclasses.dataclass(frozen=True)
    class Averaged(SGD):
        def evaluation_params(self, params, optimizer_state):
            return jax.tree.map(lambda leaf: 2 * leaf, params)

    learner = dataclasses.replace(learner, optimizer=Averaged())
    file = export.export(learner, state, data, tmp_path)[0]
    loaded = export.load_parameters(file)
    np.testing.assert_array_equal(loaded["output"]["kernel"], 2 * state.params["output"]["kernel"])


def test_nothing_is_written_over_unasked(tmp_path):
    learner, state, data = make(MLP(features=(), outputs=3))
    export.export(learner, state, data, tmp_path)
    with pytest.raises(UserError, match=r"model\.safetensors exists already"):
        export.export(learner, state, data, tmp_path)
    export.export(learner, state, data, tmp_path, overwrite=True)


def read_all(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of an export; a model of other numbers, and its lowered function."""
    learner, state, data = make(MLP(features=(), outputs=3))
    folder = tmp_path_factory.mktemp("exported")
    export.export(learner, state, data, folder)
    other = jax.jit(learner.init)(jax.random.key(1), data.example())
    lowered = export._lower(
        lambda inputs: predictions(learner, other, data, inputs), data.stored["inputs"]
    )
    return folder, (learner, other, data), lowered


@pytest.mark.parametrize("name", [export.PARAMETERS, export.FUNCTION, export.DESCRIPTION])
@pytest.mark.parametrize(
    ("step", "failing"),
    [("open", ".{}.unfinished"), ("replace", ".{}.unfinished"), ("replace", "{}")],
    ids=["written", "put in place", "moved aside"],
)
def test_a_failed_export_leaves_the_one_before(
    name, step, failing, exported, tmp_path, monkeypatch
):
    earlier, model, lowered = exported
    shutil.copytree(earlier, tmp_path, dirs_exist_ok=True)
    before = read_all(tmp_path)
    # Lowering is what takes time.
    monkeypatch.setattr(export, "_lower", lambda function, stored: lowered)
    method = getattr(Path, step)

    def fail(self, *arguments, **options):
        if self.name != failing.format(name):
            return method(self, *arguments, **options)
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(UserError, match=rf"cannot write .*/{name}: No space left on device"):
        export.export(*model, tmp_path, overwrite=True)
    assert read_all(tmp_path) == before
    if failing != "{}":
        with pytest.raises(UserError, match="cannot write"):
            export.export(*model, tmp_path / "new")
        assert not read_all(tmp_path / "new")


def test_a_link_in_the_place_of_an_unfinished_file_is_not_followed(tmp_path):
    learner, state, data = make(MLP(features=(), outputs=3))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "out").mkdir()
    for name in (export.PARAMETERS, export.FUNCTION, export.DESCRIPTION):
        (tmp_path / "out" / f".{name}.unfinished").symlink_to(elsewhere)
    for file in export.export(learner, state, data, tmp_path / "out"):
        assert not file.is_symlink()
    assert elsewhere.read_text() == "mine"
    assert len(read_all(tmp_path / "out")) == 3


def test_no_file_tells_of_this_machine_or_of_the_caller(tmp_path):
    learner, state, data = make(CNN(features=(2,), kernel_sizes=(3,), hidden=(4,), outputs=3))
    options = (
        "jax_hlo_source_file_canonicalization_regex",
        "jax_include_full_tracebacks_in_locations",
    )
    before = [getattr(jax.config, option) for option in options]
    for file in export.export(learner, state, data, tmp_path):
        content = file.read_bytes()
        for told in (".py", "pytest", "test_no_file", str(Path.cwd()), str(Path.home())):
            assert told.encode() not in content
    assert [getattr(jax.config, option) for option in options] == before


def test_other_predictions_are_not_kept(tmp_path, monkeypatch):
    learner, state, data = make(MLP(features=(), outputs=3))
    monkeypatch.setattr(export, "load_function", lambda file: lambda inputs: jnp.zeros((5, 3)))
    with pytest.raises(UserError, match=r"^model\.stablehlo reloads to other predictions"):
        export.export(learner, state, data, tmp_path)
    assert not read_all(tmp_path)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    learner, state, data = make(MLP(features=(), outputs=3))
    (tmp_path / export.FUNCTION).mkdir()
    with pytest.raises(UserError, match=r"model\.stablehlo is a folder; choose another"):
        export.export(learner, state, data, tmp_path, overwrite=True)


def test_other_names_and_shapes_are_refused(tmp_path):
    learner, state, data = make(MLP(features=(5,), outputs=3))
    file = export.export(learner, state, data, tmp_path)[0]
    with pytest.raises(UserError, match="holds 'hidden1/bias', which the model has not"):
        export.import_parameters(file, {"output": state.params["output"]})
    more = {**state.params, "hidden2": {"bias": jnp.zeros(2)}}
    with pytest.raises(UserError, match=r"lacks 'hidden2/bias'.*did you mean 'hidden1/bias'"):
        export.import_parameters(file, more)
    wider = {**state.params, "output": {"kernel": jnp.zeros((3, 5)), "bias": jnp.zeros(4)}}
    with pytest.raises(UserError, match=r"'output/bias' in .* is \(3,\), that of the model \(4,\)"):
        export.import_parameters(file, wider)


@pytest.mark.parametrize("load", [export.load_function, export.load_parameters])
def test_missing_and_damaged_files(load, tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path / "nothing")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="is damaged"):
        load(damaged)


def test_a_byte_that_changed_in_a_function_is_noticed(tmp_path):
    learner, state, data = make(MLP(features=(4,)))
    _, file, description = export.export(learner, state, data, tmp_path)
    whole = file.read_bytes()
    for place in (len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(UserError, match=r"model\.stablehlo is damaged or of another export"):
            export.load_function(file)
    file.write_bytes(whole)
    export.load_function(file)
    # Who has the function only can use it.
    description.unlink()
    export.load_function(file)


class Unexportable(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dense(3)(x.reshape(x.shape[0], -1))
        return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


class Measured(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(3)(x.reshape(len(x), -1))


def test_a_model_that_takes_the_batch_for_a_number_is_told_how_not_to(tmp_path):
    learner, state, data = make(Measured())
    with pytest.raises(UserError, match=r"write x.shape\[0\] or -1, not len\(x\)"):
        export.export(learner, state, data, tmp_path)
    with pytest.raises(UserError, match="a object predicts nothing to export; give it predict"):
        export.export(object(), state, data, tmp_path)


def test_a_model_that_cannot_be_exported_is_refused_in_a_sentence(tmp_path):
    learner, state, data = make(Unexportable())
    with pytest.raises(UserError, match="cannot be exported"):
        export.export(learner, state, data, tmp_path)
    assert not list(tmp_path.iterdir())


def safetensors_file(path, header, data=b""):
    """A safetensors file with a header of one's own."""
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


NUMBER = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("header", "data", "sentence"),
    [
        (
            {"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}},
            bytes(2),
            "'a' in FILE holds numbers of the type F8_E4M3, which nnjax does not read; save it as "
            "F16, BF16 or F32",
        ),
        (
            {"a": NUMBER, "a/b": {**NUMBER, "data_offsets": [4, 8]}},
            bytes(8),
            "is both an array and a folder of arrays",
        ),
        ({"__metadata__": {"collections": "[["}, "a": NUMBER}, bytes(4), "metadata is not JSON"),
        ({"__metadata__": {"collections": "3"}, "a": NUMBER}, bytes(4), "lists no names of"),
        ({"a": {**NUMBER, "shape": [10**12]}}, bytes(4), "is damaged or no safetensors file"),
        ({"a": {**NUMBER, "data_offsets": [0, 10**12]}}, bytes(4), "is damaged or no safetensors"),
        ({"a": {**NUMBER, "dtype": "X"}}, bytes(4), "is damaged or no safetensors file"),
    ],
)
def test_hostile_safetensors(tmp_path, header, data, sentence):
    file = safetensors_file(tmp_path / "x.safetensors", header, data)
    with pytest.raises(UserError) as raised:
        export.load_parameters(file)
    assert sentence.replace("FILE", str(file)) in str(raised.value)


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is not a regular file"):
        export.load_parameters(tmp_path / "pipe")
