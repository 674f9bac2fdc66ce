"""The process of one peer: ``python -m benchmarks.worker PEER WORKLOAD [IMAGES]``.

Reads one command a line and answers with one line of JSON. ``epochs N`` trains and returns the
seconds; ``measure`` returns the loss and accuracy on the test split.
"""

import json
import os
import sys
import time
from typing import Any

from benchmarks import peers
from benchmarks.workloads import WORKLOADS, epoch_order, load_digits


def main(peer_name: Any, workload_name: Any, images: int | None) -> None:
    """Answers commands until the input ends."""
    # Answers have the standard output to themselves: what libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    workload = WORKLOADS[workload_name]
    digits = load_digits(workload, images)
    peer = peers.make(peer_name, workload, digits)
    trained = 0
    answer({"examples": len(digits.train_images)})
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "measure":
            answer(peers.measure(peer, digits.test_images, digits.test_labels))
            continue
        epochs = range(trained, trained + int(arguments[0]))
        orders = [epoch_order(workload, len(digits.train_images), epoch) for epoch in epochs]
        began = time.perf_counter()
        for order in orders:
            peer.epoch(order)
        answer({"seconds": time.perf_counter() - began})
        trained += len(orders)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
