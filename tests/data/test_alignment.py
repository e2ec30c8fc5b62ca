from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from drumlin.data import align, load, load_image
from drumlin.data.alignment import SIZE, Aligned, align_face, similarity, template
from drumlin.data.landmarks import COLUMNS

Make = Callable[..., Path]


def turned(points: Tensor, degrees: float, scale: float, shift: tuple[float, float]) -> Tensor:
    angle = math.radians(degrees)
    rotation = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    return scale * points.double() @ rotation.T + torch.tensor(shift).double()


def blobs(points: Tensor, size: tuple[int, int], width: float) -> Tensor:
    """A picture with a bright Gaussian spot at each point."""
    row, column = torch.arange(size[0])[:, None], torch.arange(size[1])[None]
    total = torch.zeros(size, dtype=torch.float64)
    for x, y in points.tolist():
        total += 250 * torch.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * width**2))
    return total.clamp(0, 255).round().byte()[None]


def centre(face: Tensor, point: Tensor, reach: int = 5) -> Tensor:
    """Centre of mass (x, y) of what is around a point."""
    x, y = (round(value) for value in point.tolist())
    part = face[0, y - reach : y + reach + 1, x - reach : x + reach + 1].double()
    row, column = torch.arange(y - reach, y + reach + 1)[:, None], torch.arange(x - reach, x + reach + 1)[None]
    return torch.stack([(part * column).sum(), (part * row).sum()]) / part.sum()


def test_a_similarity_is_found_again() -> None:
    matrix = similarity(turned(template(), 30, 2.5, (40, -7)), template())
    back = turned(template(), 30, 2.5, (40, -7)) @ matrix[:, :2].T + matrix[:, 2]
    assert torch.allclose(back, template())
    assert matrix[:, 0].norm().item() == pytest.approx(1 / 2.5)
    assert matrix[:, :2].det() > 0


def test_of_all_similarities_it_is_the_nearest() -> None:
    points = turned(template(), -12, 1.7, (3, 4)) + 4 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0))

    def error(matrix: Tensor) -> float:
        return float((points @ matrix[:, :2].T + matrix[:, 2] - template()).square().sum())

    matrix = similarity(points, template())
    a, b = matrix[0, 0].item(), matrix[1, 0].item()
    assert matrix[:, :2].tolist() == [[a, -b], [b, a]]
    best = error(matrix)
    for da, db, dx, dy in torch.randn(50, 4, generator=torch.Generator().manual_seed(1)).mul(0.01).tolist():
        other = torch.tensor([[da, -db, dx], [db, da, dy]]).double()
        assert error(matrix + other) > best


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    assert similarity(template() * torch.tensor([-1.0, 1.0]), template())[:, :2].det() > 0


def test_one_point_tells_nothing() -> None:
    with pytest.raises(ValueError, match="all landmarks are the same point"):
        similarity(torch.ones(5, 2), template())


def test_templates_of_other_sizes() -> None:
    assert torch.allclose(template((224, 192)) + 0.5, 2 * (template() + 0.5))
    square = template((160, 160))
    eyes, mouth = square[:2].mean(0), square[3:].mean(0)
    assert abs(eyes[0] + 0.5 - 80) < 1  # in the middle across
    assert ((mouth - eyes)[1] / 160).item() == pytest.approx(
        ((template()[3:].mean(0) - template()[:2].mean(0))[1] / 112).item()
    )


@pytest.mark.parametrize(
    ("degrees", "scale", "width"), [(0, 1.0, 1.5), (25, 1.6, 2.0), (-40, 0.8, 1.5), (10, 4.5, 7.0)]
)
def test_landmarks_end_where_the_template_has_them(degrees: float, scale: float, width: float) -> None:
    points = turned(template(), degrees, scale, (0, 0))
    points = points - points.min(0).values + 30
    height, broad = (int(value) + 40 for value in points.max(0).values.flip(0).tolist())
    face = align_face(blobs(points, (height, broad), width), points)
    assert face.shape == (1, *SIZE)
    for point in template():
        assert (centre(face, point) - point).abs().max() < 0.15


def test_an_aligned_face_stays_as_it_is() -> None:
    image = torch.randint(0, 256, (3, *SIZE), generator=torch.Generator().manual_seed(0)).byte()
    # Pillow cuts the fraction off, and 116.9999 is one less than 117
    assert (align_face(image, template()).int() - image.int()).abs().max() <= 1


def test_outside_of_the_image_is_black() -> None:
    face = align_face(torch.full((1, 40, 40), 200).byte(), template() - 50)
    assert face[0, 0, 0] == 0
    assert face.max() == 200


@pytest.fixture
def faces(tmp_path: Path) -> tuple[Path, Path]:
    """Three pictures of two people, the third without landmarks; the file of these."""
    folder, lines = tmp_path / "faces", [",".join(COLUMNS)]
    for name in ("Ann/1.png", "Bob/1.png", "Bob/2.png"):
        points = turned(template(), 15, 1.2, (40, 5))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(blobs(points, (180, 160), 2)[0].numpy()).save(folder / name)
        lines.append(",".join([name, *(str(value) for value in points.flatten().tolist())]))
    landmarks = tmp_path / "points.csv"
    landmarks.write_text("\n".join(lines[:-1]))
    return folder, landmarks


def test_a_folder(faces: tuple[Path, Path], tmp_path: Path) -> None:
    folder, landmarks = faces
    out = tmp_path / "aligned"
    assert align(folder, landmarks, out) == Aligned(2, 1)
    images = load(f"folder:{out}", "all")
    assert (images.class_names, len(images), images.size, images.channels) == (("Ann", "Bob"), 2, SIZE, 3)
    face = load_image(out / "Ann/1.jpg", channels=1)
    for point in template():
        assert (centre(face, point) - point).abs().max() < 0.3


def test_it_is_done_once(faces: tuple[Path, Path], tmp_path: Path) -> None:
    folder, landmarks = faces
    out = tmp_path / "aligned"
    align(folder, landmarks, out)
    stamp = (out / "Ann/1.jpg").stat().st_mtime_ns
    assert align(folder, landmarks, out) == Aligned(2, 1)
    assert (out / "Ann/1.jpg").stat().st_mtime_ns == stamp
    for change in (
        lambda: landmarks.write_text(landmarks.read_text() + "\n"),
        lambda: (out / "alignment.json").unlink(),
    ):
        change()
        with pytest.raises(
            ValueError, match="aligned is there, and not made from these images, landmarks and size; remove it"
        ):
            align(folder, landmarks, out)
    with pytest.raises(ValueError, match="not made from these images"):
        align(folder, landmarks, folder)


def test_another_size_is_another_folder(faces: tuple[Path, Path], tmp_path: Path) -> None:
    align(*faces, tmp_path / "aligned")
    with pytest.raises(ValueError, match="not made from these"):
        align(*faces, tmp_path / "aligned", size=(160, 160))
    align(*faces, tmp_path / "square", size=(160, 160))
    assert load_image(tmp_path / "square/Ann/1.jpg").shape == (3, 160, 160)


def test_a_damaged_image_leaves_nothing_behind(faces: tuple[Path, Path], tmp_path: Path) -> None:
    (faces[0] / "Bob/1.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Bob/1\.png cannot be decoded"):
        align(*faces, tmp_path / "aligned")
    assert not (tmp_path / "aligned").exists()


def test_an_unfinished_folder_is_begun_anew(faces: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / ".aligned.partial/Zoe").mkdir(parents=True)
    align(*faces, tmp_path / "aligned")
    assert sorted(path.name for path in (tmp_path / "aligned").iterdir()) == ["Ann", "Bob", "alignment.json"]


def test_one_landmark_five_times(faces: tuple[Path, Path], tmp_path: Path) -> None:
    faces[1].write_text("\n".join([",".join(COLUMNS), "Ann/1.png" + 10 * ",7"]))
    with pytest.raises(ValueError, match=r"Ann/1\.png: all landmarks are the same point"):
        align(*faces, tmp_path / "aligned")


def test_names_that_would_meet(make_folder: Make, tmp_path: Path) -> None:
    folder = make_folder({f"Ann/1.{kind}": ("L", (9, 9), 0) for kind in ("png", "bmp")})
    numbers = ",".join(str(i) for i in range(10))
    (tmp_path / "points.csv").write_text("\n".join([",".join(COLUMNS), f"Ann/1.png,{numbers}", f"Ann/1.bmp,{numbers}"]))
    with pytest.raises(ValueError, match=r"images Ann/1.bmp and Ann/1.png would both become Ann/1.jpg; rename one"):
        align(folder, tmp_path / "points.csv", tmp_path / "aligned")
