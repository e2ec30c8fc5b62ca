"""Runs tests against changed copies of the package, each in a process of its own that is forked from this one.

Reads jobs as JSON from standard input, writes their outcomes as JSON to standard output. Importing torch takes seconds, a fork
takes none: so it is imported here, once, and what is to be changed is imported in the forks.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

SLOW_IMPORTS = ("torch", "torch._dynamo", "pytest", "hypothesis", "jaxtyping", "pytorch_metric_learning.losses")


def run(job: dict, source: Path, tests: Path, folder: Path) -> int:
    """Return pytest's exit code for a job's tests against a copy of `source` with the job's change; what it printed is in `folder`."""
    import pytest

    copy = Path(shutil.copytree(source, folder / source.name))
    if job["file"]:
        path = copy / job["file"]
        path.write_text(path.read_text().replace(job["old"], job["new"]))
    sys.path.insert(0, str(folder))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--tb=line"]
    with (folder / "out").open("w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = int(pytest.main([*options, *(str(tests / file) for file in job["tests"])]))
        used = importlib.import_module(source.name).__file__
        assert used is not None
        assert Path(used).is_relative_to(folder), f"the tests saw {used}"
    return code


def main() -> None:
    """Run all jobs, as many at once as there are processors."""
    request = json.load(sys.stdin)
    source, waiting = Path(request["source"]), list(request["jobs"])
    for module in SLOW_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    import torch

    torch.set_num_threads(1)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # looking for plugins takes longer than most of the tests
    assert source.name not in sys.modules
    running: dict[int, tuple[str, Path]] = {}
    outcomes: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as place:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                job = waiting.pop(0)
                folder = Path(tempfile.mkdtemp(dir=place))
                process = os.fork()
                if process == 0:
                    code = 99
                    try:
                        code = run(job, source, Path(request["tests"]), folder)
                    finally:
                        os._exit(code)
                running[process] = job["name"], folder
            process, status = os.wait()
            name, folder = running.pop(process)
            text = (folder / "out").read_text() if (folder / "out").exists() else ""
            outcomes[name] = {"code": os.waitstatus_to_exitcode(status), "output": text[-2000:]}
            shutil.rmtree(folder)
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
