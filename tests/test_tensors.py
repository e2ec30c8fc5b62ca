import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from drumlin._tensors import hash_tensors, read_tensors, write_tensors

TENSORS = {
    "float": torch.tensor([[1.5, -0.0], [float("nan"), float("inf")]]),
    "brain": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "int": torch.tensor(7),
    "bool": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3, dtype=torch.int64),
}


def test_tensors_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.safetensors"
    write_tensors(path, TENSORS, {"epoch": 3, "list": [1, None]})
    tensors, about = read_tensors(path)
    assert about == {"epoch": 3, "list": [1, None]}
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert (tensors[name].dtype, tensors[name].shape) == (value.dtype, value.shape)
        assert hash_tensors(tensors[name]) == hash_tensors(value)


def test_what_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(4)})
    tensors, _ = read_tensors(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert tensors["a"].tolist() == [1, 1, 1, 1]


def test_tensors_of_any_layout_and_with_gradients(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    last = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    weight = torch.nn.Parameter(torch.rand(3, 2))
    write_tensors(path, {"last": last, "turned": weight.t(), "weight": weight})
    tensors, _ = read_tensors(path)
    assert torch.equal(tensors["last"], last)
    assert torch.equal(tensors["turned"], weight.t())
    assert not tensors["weight"].requires_grad


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(3), "b": torch.ones(2)}, {"epoch": 3})
    whole = path.read_bytes()
    for position in range(len(whole)):
        for bit in (1, 128):
            data = bytearray(whole)
            data[position] ^= bit
            path.write_bytes(bytes(data))
            with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
                read_tensors(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_torn_file_is_found(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(30)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
        read_tensors(path)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged \(its checksum differs\)"):
        read_tensors(tmp_path / "a.safetensors")
    with pytest.raises(FileNotFoundError, match=r"b\.safetensors is missing"):
        read_tensors(tmp_path / "b.safetensors")


def test_values_that_are_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_tensors(tmp_path / "a.safetensors", {}, {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(1)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else the limit kills instead of failing the write
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        with pytest.raises(OSError, match=r"File too large|cannot be written"):
            write_tensors(path, {"a": torch.ones(1 << 16)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert read_tensors(path)[0]["a"].tolist() == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_hashes_know_shape_type_values_order_and_text() -> None:
    a = torch.tensor([1, 2], dtype=torch.int32)
    hashes = {
        hash_tensors(a),
        hash_tensors(a.view(1, 2)),
        hash_tensors(a.float()),
        hash_tensors(a.flip(0)),
        hash_tensors(a, about="x"),
        hash_tensors(a[:1], a[1:]),
        hash_tensors(a[1:], a[:1]),
    }
    assert len(hashes) == 7
    matrix = torch.arange(6).view(2, 3)
    assert hash_tensors(matrix.t()) == hash_tensors(matrix.t().contiguous())  # content, not layout
