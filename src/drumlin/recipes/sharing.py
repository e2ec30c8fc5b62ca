"""Who does what is left of an experiment: any number of processes with one file of records, each a step that no other is at."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from drumlin import _io
from drumlin.recipes.experiment import Ledger, Step

_PATIENCE = 5.0
"""Seconds between two looks at what others have done meanwhile."""


def pending(ledger: Ledger, waiting: Callable[[], None] | None = None) -> Iterator[Step]:
    """Yield what is left of an experiment, step by step, each according to the records there are then.

    All variants come to their first measured seed before any comes to its second: a run that is cut short leaves a whole table.
    A step is held until the next one is asked for, and what another process holds is left to it. Where nothing else is left,
    others are waited for; what one that was killed leaves behind is done here.

    Args:
        ledger: of the experiment; its file of records names what the processes share.
        waiting: called once when others are waited for.

    Raises:
        RuntimeError: a step was not recorded before the next one was asked for.
    """
    told = False
    while left := _left(ledger):
        for step in left:
            with _held(ledger.path, step) as free:
                if not free:
                    continue
                if step in _left(ledger):  # nobody has done it between the look at the records and the lock
                    yield step
                    if step in _left(ledger):
                        raise RuntimeError(f"{step.folder} left no record behind")
                break
        else:
            if waiting is not None and not told:
                waiting()
                told = True
            time.sleep(_PATIENCE)


def _left(ledger: Ledger) -> list[Step]:
    """Return what is left to do, as far as can be said now, the most urgent first."""
    ledger.reload()
    steps = [step for variant in ledger.experiment.variants for step in ledger.steps(variant)]
    return sorted(steps, key=lambda step: 0 if step.tuning else step.variant.seeds.index(step.seed))


@contextmanager
def _held(records: Path, step: Step) -> Iterator[bool]:
    """Hold a step inside the block; yield whether it was free. The file of the lock is gone afterwards.

    Not on Windows, where one process at a time is the user's matter.
    """
    if sys.platform == "win32":
        yield True
        return
    path = records.with_name(f".{records.name}.{step.folder}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        free = _locked(path, held)
        try:
            yield free
        finally:
            if free:
                path.unlink(missing_ok=True)


def _locked(path: Path, held: ExitStack) -> bool:
    """Lock a file, made if need be, until `held` is left; return whether it was free."""
    while True:
        file = held.enter_context(path.open("ab"))
        try:
            held.enter_context(_io.locked(file, exclusive=True, wait=False))
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: as if alone
        if _io.still_at(file, path):
            return True  # else its holder has removed it since it was opened, and the next may have made another
