"""The records of MNIST in results/mnist.jsonl: softmax and GM, three seeds each, with the defaults of `drumlin train`.

    python benchmarks/mnist.py [--out runs/mnist] [--results results/mnist.jsonl] [--data-root DIR] [--download]

Takes about 20 minutes on two cores; interrupted, it goes on where it was. Times of training are only worth something on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drumlin.recipes.mnist import mnist
from drumlin.results import append, read
from drumlin.training import reporter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/mnist"))
    parser.add_argument("--results", type=Path, default=Path("results/mnist.jsonl"))
    parser.add_argument("--data-root")
    parser.add_argument("--download", action="store_true")
    flags = parser.parse_args()
    for records in mnist(flags.out, root=flags.data_root, download=flags.download, reporter=reporter):
        known = {record.key for record in read(flags.results)} if flags.results.exists() else set()
        append(flags.results, [record for record in records if record.key not in known])
        error = next(record for record in records if record.task == "classification" and record.metric == "error")
        print(f"{error.head} seed {error.seed}: error {error.value:.2%}", flush=True)


if __name__ == "__main__":
    main()
