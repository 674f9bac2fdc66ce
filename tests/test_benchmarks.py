"""Every peer of the benchmarks computes the same: from the same weights to the same loss."""

import numpy as np
import pytest
from marks import slow_among

from benchmarks import machine, peers, table
from benchmarks.coordinator import Comparison, Timing, Whole
from benchmarks.speed import sections
from benchmarks.workloads import WORKLOADS, Digits, Name, epoch_order, initial_weights

EXAMPLES = 150
NEEDS = {"torch": "torch", "torch_compiled": "torch", "keras": "keras"}

# Their programs take long to compile, torch_compiled half a minute.
SLOW = ("torch_compiled", "keras", "flax")
PEERS = slow_among([name for name in peers.MODULES if name != "nnjax"], SLOW)


@pytest.fixture(scope="module")
def digits() -> Digits:
    generator = np.random.default_rng(0)

    def draw(count: int):
        images = generator.integers(0, 256, (count, 28, 28, 1)).astype(np.uint8)
        return images, generator.integers(0, 10, count).astype(np.int32)

    return Digits(*draw(EXAMPLES), *draw(100))


def train(name: peers.Name, workload: Name, digits: Digits) -> tuple[dict, dict]:
    peer = peers.make(name, WORKLOADS[workload], digits)
    before = peers.measure(peer, digits.test_images, digits.test_labels)
    for epoch in range(2):
        peer.epoch(epoch_order(WORKLOADS[workload], EXAMPLES, epoch))
    return before, peers.measure(peer, digits.test_images, digits.test_labels)


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_peers_begin_and_end_alike(peer, workload, digits):
    if peer in NEEDS:
        pytest.importorskip(NEEDS[peer])
    ours_before, ours_after = train("nnjax", workload, digits)
    before, after = train(peer, workload, digits)
    # The steps are visible: without them nothing would be compared.
    assert abs(ours_after["loss"] - ours_before["loss"]) > 1e-4
    assert before["loss"] == pytest.approx(ours_before["loss"], rel=1e-6)
    assert after["loss"] == pytest.approx(ours_after["loss"], rel=1e-6)
    assert after["accuracy"] == ours_after["accuracy"]


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_configs_say_what_the_workload_does(workload):
    experiment = workload.experiment()
    learner = experiment.learner
    assert experiment.training.batch_size == workload.batch_size
    assert experiment.data.train == 50_000
    assert learner.loss == "categorical_cross_entropy"
    assert learner.optimizer.learning_rate == 0.01
    assert learner.optimizer.momentum == 0


@pytest.mark.parametrize(
    ("workload", "parameters"),
    [("mlp_128", 23_860), ("mlp_20", 23_860), ("cnn1", 289_630), ("cnn2", 108_870)],
)
def test_number_of_parameters(workload, parameters):
    weights = initial_weights(WORKLOADS[workload])
    assert sum(array.size for layer in weights for array in layer) == parameters


def test_every_example_is_seen_once():
    order = epoch_order(WORKLOADS["mlp_128"], 300, epoch=3)
    assert sorted(order) == list(range(300))


def test_report_has_the_median_ratio():
    comparison = Comparison(WORKLOADS["mlp_128"], examples=50_000, others=0.03)
    comparison.timings["torch"] = Timing(1.0, [1.0, 2.0, 4.0], 0.5, 0.9)
    comparison.timings["nnjax"] = Timing(2.0, [0.5, 1.0, 1.0], 0.5, 0.9)
    summary = {
        "wall_seconds": 9.0,
        "seconds": 4.0,
        "training_seconds": 2.0,
        "compile_seconds": 1.0,
        "examples_per_second": 1e6,
        "test": {"accuracy": 0.9},
    }
    comparison.whole = Whole(2, [summary], [3.0])
    assert comparison.ratio("nnjax") == 2.0
    assert comparison.ratio("torch") == 1.0
    page = table.report("Speed", "command", sections([comparison]))
    assert "| nnjax | 1.000 | 0.500 | 1.000 | 2.00 | 2.00 | 0.5000 | 90.00% |" in page
    assert "| mlp_128 | 2 | 9.00 | 4.00 | 2.00 | 1.00 | 1,000,000 | 90.00% | 3.00 | 1.50 |" in page


@pytest.mark.parametrize(
    ("model", "flags", "name"),
    [
        ("AMD EPYC", "sse2 avx2", "speed-amd-epyc.md"),
        ("Intel(R) Xeon(R) Processor", "avx2 avx512f", "speed-intel-xeon-avx512.md"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "", "speed-intel-core-i7-8550u.md"),
    ],
)
def test_results_are_named_by_benchmark_and_processor(model, flags, name, monkeypatch):
    fields = {"model name": model, "flags": flags}
    monkeypatch.setattr(machine, "_cpuinfo", fields.__getitem__)
    assert machine.result_page("speed") == machine.RESULTS / name


def test_every_page_of_results_has_its_date_machine_and_versions():
    pages = sorted(machine.RESULTS.glob("*.md"))
    assert "speed-amd-epyc.md" in [page.name for page in pages]
    for page in pages:
        text = page.read_text()
        assert all(f"\n- {line}: " in text for line in ("date", "processor", "versions")), page
        assert f"](results/{page.name})" in (machine.RESULTS.parent / "README.md").read_text()
