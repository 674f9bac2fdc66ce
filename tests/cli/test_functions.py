"""Functions in a config file: recorded by name, read again, and refused in a sentence."""

import json

import pytest

FIELDS = """    outputs: int | None = None
    activation: Callable = {activation}
    norm: object = {norm}
"""


@pytest.fixture
def write(config_file):
    """Writes the config file with an activation and another function or class in the model."""

    def change(activation, norm="None"):
        text = config_file.read_text()
        text = text.replace("    outputs: int | None = None\n", FIELDS.format(**locals()))
        text = text.replace("nn.tanh(", "self.activation(")
        head, _, rest = text.partition("@dataclasses")
        own = "from collections.abc import Callable\nimport functools\n\ndef cube(x):\n"
        own += "    return x**3\n\n\ndef make():\n    return lambda x: x\n\n\n"
        config_file.write_text(f"{head}{own}@dataclasses{rest}")
        return config_file

    return change


@pytest.mark.parametrize(
    ("activation", "norm", "saved"),
    [
        ("nn.relu", "nn.LayerNorm", {"function": "jax.nn.relu"}),
        ("cube", "jax.numpy.float32", {"function": "nnjax_file_my_net.cube"}),
        (
            "functools.partial(nn.leaky_relu, negative_slope=0.5)",
            "None",
            {"function": "jax.nn.leaky_relu", "arguments": {"negative_slope": 0.5}},
        ),
    ],
)
def test_functions_of_a_model(write, nnjax, activation, norm, saved, tmp_path):
    file = write(activation, norm)
    words = ("--smoke", "--model.width", 3)
    done = nnjax("train", file, "--run-dir", "run", *words)
    assert (done.status, done.err) == (0, "")
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())
    assert recorded["learner"]["model"]["activation"] == saved
    done = nnjax("evaluate", "run")
    assert done.status == 0, done.err


def test_functions_in_a_sweep(write, nnjax):
    over = ("--over", "seed", "0..1", "--steps", 2, "--sweep-dir", "out", "--quiet")
    assert nnjax("sweep", write("cube"), *over).status == 0
    assert nnjax("sweep-report", "out").status == 0


@pytest.mark.parametrize("activation", ["make()", "lambda x: x"])
def test_functions_without_a_name(write, refused, activation):
    file = write(activation)
    sentence = refused("train", file, "--smoke")
    assert sentence.startswith(f"{file}: Experiment.learner.model.activation is the function ")
    assert "define it with def at the top of a file, or give functools.partial(F, ...)" in sentence


def test_a_source_that_is_no_dataclass(config_file, refused):
    text = config_file.read_text().replace(
        "@dataclasses.dataclass(frozen=True)\nclass Clouds", "class Clouds"
    )
    config_file.write_text(text)
    assert refused("train", config_file) == (
        f"{config_file}: Experiment.data is a Clouds, which a saved config cannot hold; put "
        "@dataclasses.dataclass(frozen=True) above that class"
    )


def test_functions_by_name_on_the_command_line(nnjax, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--loss", "optax.losses.l2_loss", "--metrics", "accuracy", "optax.losses.log_cosh")
    done = nnjax("train", "circles", *words, "--smoke", "--run-dir", "run")
    assert (done.status, done.err) == (0, "")
    learner = json.loads((tmp_path / "run" / "config.json").read_text())["learner"]
    assert learner["loss"] == {"function": "optax.losses.l2_loss"}
    assert learner["metrics"] == ["accuracy", {"function": "optax.losses.log_cosh"}]
    assert nnjax("evaluate", "run").status == 0
    sentence = refused("train", "circles", "--loss", "optax.losses.l3_loss")
    assert sentence.startswith("--loss has no choice 'optax.losses.l3_loss'")
    sentence = refused("train", "circles", "--activation", "os.system")
    assert sentence.startswith("unknown option --activation")


def test_functions_by_name_over_a_sweep(nnjax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    over = ("--over", "loss", "quadratic", "optax.losses.l2_loss", "--steps", 2)
    done = nnjax("sweep", "circles", *over, "--sweep-dir", "out", "--quiet")
    assert (done.status, done.err) == (0, "")
    done = nnjax("sweep-report", "out")
    assert (done.status, done.err) == (0, "")
    assert "optax.losses.l2_loss" in done.out
