import dataclasses
import multiprocessing
from pathlib import Path

import pytest

from drumlin.recipes import sharing as module
from drumlin.recipes.experiment import Experiment, Ledger, Step
from drumlin.recipes.sharing import pending
from drumlin.results import Record, append, read
from trial import record, tuning


def done(step: Step) -> Record:
    name = step.variant.name
    return tuning(name, step.candidate, 0.1) if step.tuning else record(name, seed=step.seed)


def test_every_variant_comes_to_its_first_seed_before_any_to_its_second(experiment, tmp_path):
    book = Ledger(experiment, tmp_path / "r.jsonl")
    order = []
    for step in pending(book):
        order.append((step.variant.name, step.candidate, step.seed, step.tuning))
        book.add([done(step)])
    assert order == [
        ("tuned", "lr=1e-6", 0, True),
        ("tuned", "lr=0.05", 0, True),
        ("tuned", "lr=1e-6", 0, False),
        ("plain, 2-D", "as it is", 4, False),
        ("tuned", "lr=1e-6", 1, False),
    ]
    assert list(pending(Ledger(experiment, tmp_path / "r.jsonl"))) == []


def test_what_another_process_records_meanwhile_is_not_done_again(experiment, tmp_path):
    book = Ledger(experiment, tmp_path / "r.jsonl")
    steps = pending(book)
    first = next(steps)
    append(book.path, [tuning("tuned", "lr=0.05", 0.1), record("tuned", seed=0)])
    book.add([tuning("tuned", first.candidate, 0.2)])
    second = next(steps)
    assert second.variant.name == "plain, 2-D"
    append(book.path, [record("tuned", seed=1)])
    book.add([record("plain, 2-D", seed=second.seed)])
    assert list(steps) == []


def test_a_step_that_leaves_no_record_does_not_go_on_for_ever(experiment, tmp_path):
    with pytest.raises(RuntimeError, match=r"tuned-lr=1e-6-seed-0 left no record behind"):
        list(pending(Ledger(experiment, tmp_path / "r.jsonl")))


def test_what_another_process_is_at_is_left_to_it(experiment, tmp_path):
    path = tmp_path / "r.jsonl"
    one, two = pending(Ledger(experiment, path)), pending(Ledger(experiment, path))
    first, second = next(one), next(two)
    assert [(s.candidate, s.tuning) for s in (first, second)] == [("lr=1e-6", True), ("lr=0.05", True)]
    append(path, [done(second)])
    third = next(two)
    assert third.variant.name == "plain, 2-D", (
        "what is tuned is not chosen as long as one of its trainings is under way"
    )
    append(path, [done(first)])
    fourth = next(one)
    append(path, [done(third)])
    fifth = next(two)
    assert [(s.variant.name, s.seed, s.tuning) for s in (fourth, fifth)] == [("tuned", 0, False), ("tuned", 1, False)]
    append(path, [done(fourth), done(fifth)])
    assert [*one, *two] == []
    assert [file.name for file in tmp_path.iterdir()] == ["r.jsonl"]


def test_others_are_waited_for_and_what_they_leave_is_done(experiment, tmp_path, monkeypatch):
    alone = dataclasses.replace(experiment, variants=experiment.variants[1:])
    path = tmp_path / "r.jsonl"
    other = pending(Ledger(alone, path))
    held = next(other)
    slept, told = [], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            other.close()  # as if killed

    monkeypatch.setattr(module.time, "sleep", sleep)
    steps = pending(Ledger(alone, path), lambda: told.append("waiting"))
    assert next(steps) == held
    assert len(slept) == 3
    assert told == ["waiting"]


def test_a_step_is_free_again_once_its_process_was_killed(experiment, tmp_path):
    alone = dataclasses.replace(experiment, variants=experiment.variants[1:])
    path = tmp_path / "r.jsonl"
    (step,) = Ledger(alone, path).steps(alone.variants[0])
    lock = path.with_name(f".{path.name}.{step.folder}.lock")
    context = multiprocessing.get_context("fork")
    ready, never = context.Event(), context.Event()

    def hold() -> None:
        with module._held(path, step) as free:
            assert free
            ready.set()
            never.wait()

    process = context.Process(target=hold)
    process.start()
    assert ready.wait(30)
    with module._held(path, step) as free:
        assert not free
    process.kill()
    process.join()
    assert lock.exists(), "a killed process removes nothing"
    with module._held(path, step) as free:
        assert free
    assert not lock.exists()


def test_a_lock_that_its_holder_has_removed_meanwhile_is_made_anew(experiment, tmp_path, monkeypatch):
    """Whoever opens the file just before its holder removes it has locked a file that no other process will find."""
    (step,) = Ledger(experiment, tmp_path / "r.jsonl").steps(experiment.variants[1])
    path = tmp_path / "r.jsonl"
    lock = path.with_name(f".{path.name}.{step.folder}.lock")
    before = module._io.locked
    calls = []

    def locked(*args, **kwargs):
        if not calls:
            lock.unlink()
        calls.append(kwargs)
        return before(*args, **kwargs)

    monkeypatch.setattr(module._io, "locked", locked)
    with module._held(path, step) as free:
        assert free
        assert lock.exists()
        with module._held(path, step) as second:
            assert not second
    assert len(calls) == 3


def _work(experiment: Experiment, path: Path, rank: int) -> None:
    for step in pending(Ledger(experiment, path)):
        append(path, [dataclasses.replace(done(step), run=f"{step.folder} {step.tuning} {rank}")])


@pytest.mark.slow
def test_many_processes_do_everything_once(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    plain = experiment.variants[1]
    wide = dataclasses.replace(
        experiment, variants=(experiment.variants[0], dataclasses.replace(plain, seeds=tuple(range(12))))
    )
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_work, args=(wide, tmp_path / "r.jsonl", rank)) for rank in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    runs = [r.run.rpartition(" ")[0] for r in read(tmp_path / "r.jsonl")]
    assert len(runs) == len(set(runs)) == 2 + 2 + 12
