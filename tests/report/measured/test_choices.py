from drumlin.report.measured.choices import by_epsilon
from drumlin.results import Record


def record(anomaly: str | None) -> Record:
    return Record(
        run="r", recipe="x", task="robustness", data="mnist", split="test", head="gm", backbone="b", metric="error",
        value=0.5, unit="fraction", anomaly=anomaly, scale="cpu",
    )  # fmt: skip


def test_attacks_come_in_the_order_of_their_epsilon_not_of_their_words_or_records():
    names = [
        "fgsm(epsilon=0.5)",
        "fgsm(epsilon=0.03)",
        "fgsm(epsilon=1e-05)",
        "noise",
        "fgsm(epsilon=0.0103)",
        "fgsm(epsilon=0.1)",
    ]
    chosen = by_epsilon(list)([record(name) for name in names])
    assert [r.anomaly for r in chosen] == [
        "noise",
        "fgsm(epsilon=1e-05)",
        "fgsm(epsilon=0.0103)",
        "fgsm(epsilon=0.03)",
        "fgsm(epsilon=0.1)",
        "fgsm(epsilon=0.5)",
    ]
