"""What a run was made with: versions, processor, commit and command, for `environment.json`."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("drumlin", "torch", "torchvision", "numpy", "scikit-learn", "safetensors", "timm")


def environment() -> dict[str, Any]:
    """Return versions, processor, thread count, commit of drumlin's checkout (None outside one) and command line.

    >>> environment()["versions"]["torch"] == torch.__version__
    True
    """
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "versions": versions | {"torch": torch.__version__},
        "platform": platform.platform(),
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "commit": commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def commit() -> str | None:
    """Return the git commit of the checkout this package lies in, with "+" if files differ from it; None outside one."""
    here = Path(__file__).parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    tracked = git("ls-files", "--error-unmatch", str(Path(__file__)))
    head = git("rev-parse", "HEAD") if tracked else None
    return head and head + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def processor_name() -> str:
    """Return the processor's name, and which matrix instructions for bfloat16 it has."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = lines[0] if lines else name
    extras = [
        label
        for label, there in (
            ("AMX", torch.cpu._is_amx_tile_supported()),
            ("AVX-512 BF16", torch.cpu._is_avx512_bf16_supported()),
        )
        if there
    ]
    return f"{name} ({torch.get_num_threads()} threads{', ' + ', '.join(extras) if extras else ''})"
