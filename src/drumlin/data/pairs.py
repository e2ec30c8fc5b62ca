"""Files that list pairs of images, of one person or of two: LFW's, and plain ones of paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from drumlin._io import unknown
from drumlin.data.adaptation import Size, target_size
from drumlin.data.folders import UNKNOWN, Tree
from drumlin.data.opening import AnyImages, open_tree
from drumlin.data.roots import data_root


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of image files, each of the same person (or class) or of two."""

    tree: Tree
    """Each image once, whatever the number of pairs it is in; without classes."""

    index: Int64[Tensor, "p 2"]
    """Which images of `tree` a pair is made of."""

    same: Bool[Tensor, " p"]
    """Whether both are of the same."""

    fold: Int64[Tensor, " p"]
    """The part of a cross-validation that a pair belongs to; all 0 where there are none."""

    name: str
    """The file they come from, with its folder: lfw/pairs.txt."""

    by_person: bool = False
    """Whether the folder of an image is named as its person, as in LFW's format; other files say nothing of who it is."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return len(set(self.fold.tolist()))

    @property
    def people(self) -> frozenset[str]:
        """Names of the people in the pairs; none where the file does not name them."""
        return frozenset(name.partition("/")[0] for name in self.tree.names) if self.by_person else frozenset()

    def images(
        self, *, channels: int | None = None, size: Size = None, root: str | os.PathLike[str] | None = None
    ) -> AnyImages:
        """Return the images of `tree`, in its order, brought to `channels` and `size` by the rule of `adapt`.

        Raises:
            ValueError: an image cannot be decoded; images of different sizes with `size` None.
        """
        where = {"root": data_root(root), "channels": channels, "size": target_size(size)}
        return open_tree(self.tree, name=self.name, split="all", note="images of pairs", **where)  # type: ignore[arg-type]


class _Line(NamedTuple):
    file: Path
    number: int
    fields: list[str]

    def wrong(self, what: object) -> ValueError:
        return ValueError(f"{self.file}, line {self.number}: {what}")


class _Pair(NamedTuple):
    first: str
    second: str
    same: bool
    fold: int


def read_pairs(file: str | os.PathLike[str], images: str | os.PathLike[str]) -> Pairs:
    """Read a file of pairs, and look whether every image is there.

    LFW's format is told by a first line of one or two whole numbers, `N` or `FOLDS N`: of every fold follow N lines `NAME I J`, images
    I and J of one person, then N lines `NAME I OTHER J` of two; image I of a person is NAME/NAME_000I with any ending that images
    have. In any other file a line is `PATH PATH SAME` or `PATH PATH SAME FOLD`: two paths relative to the folder of images, with
    forward slashes, 1 for the same or 0, and a number. Fields are separated by tabs, or by blanks where a line has no tab.

    Args:
        file: e.g. LFW's pairs.txt (View 2, ten folds), pairsDevTrain.txt or pairsDevTest.txt (View 1).
        images: the folder that holds the images.

    Raises:
        ValueError: a file or folder that is not there, no text, or has no pairs; a line that is malformed, an unknown person, an
            image that is missing: each with its line.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png", "pairs.txt"):
    ...     _ = (folder / name).write_text("a.png b.png 1")
    >>> pairs = read_pairs(folder / "pairs.txt", folder)
    >>> pairs.tree.names, pairs.index.tolist(), pairs.same.tolist(), pairs.folds
    (('a.png', 'b.png'), [[0, 1]], [True], 1)

    Source: Huang et al., Labeled Faces in the Wild, 2007, and the set's README.
    """
    path, base = Path(file).expanduser(), Path(images).expanduser()
    if not base.is_dir():
        raise ValueError(f"folder of images {base} does not exist; give the one that the pairs in {path} refer to")
    lines = _lines(path)
    header = lines[0].fields
    lfw = len(header) <= 2 and all(field.isdecimal() for field in header)
    found = list(_lfw(lines, base) if lfw else _listed(lines, base))
    names = list(dict.fromkeys(name for pair in found for name in (pair.first, pair.second)))
    place = {name: i for i, name in enumerate(names)}
    labels = torch.zeros(len(names), dtype=torch.int64)
    return Pairs(
        tree=Tree(base=base, names=tuple(names), labels=labels, class_names=(UNKNOWN,)),
        index=torch.tensor([[place[pair.first], place[pair.second]] for pair in found]),
        same=torch.tensor([pair.same for pair in found]),
        fold=torch.tensor([pair.fold for pair in found]),
        name="/".join(path.resolve().parts[-2:]),
        by_person=lfw,
    )


def _lines(path: Path) -> list[_Line]:
    """Return the lines that are not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"file of pairs {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"file of pairs {path} is no text") from None
    numbered = enumerate(text.splitlines(), start=1)
    lines = [_Line(path, i, line.split("\t" if "\t" in line else None)) for i, line in numbered if line.strip()]
    if not lines:
        raise ValueError(f"file of pairs {path} is empty")
    return [line._replace(fields=[field.strip() for field in line.fields]) for line in lines]


def _lfw(lines: Sequence[_Line], base: Path) -> Iterator[_Pair]:
    header, rest = lines[0], lines[1:]
    folds, half = (1, int(header.fields[0])) if len(header.fields) == 1 else map(int, header.fields)
    if folds < 1 or half < 1:
        raise header.wrong("the first line says how many pairs there are, N or FOLDS N, each at least 1")
    image = _lfw_images(base)
    for row, line in enumerate(rest):
        fold, place = divmod(row, 2 * half)
        if fold == folds:
            raise line.wrong(f"one pair more than the {folds * 2 * half} that the first line announces")
        same = place < half
        form = "NAME I J" if same else "NAME I OTHER J"
        fields = line.fields
        if len(fields) != len(form.split()):
            raise line.wrong(
                f"here a pair of {'one person' if same else 'two'} is due, {form}, not {' '.join(fields)!r}"
            )
        first, i, second, j = [*fields[:2], fields[0], fields[2]] if same else fields
        yield _Pair(image(line, first, i), image(line, second, j), same, fold)
    if len(rest) < folds * 2 * half:
        last = lines[-1]
        raise last.wrong(f"the file ends after {len(rest)} of the {folds * 2 * half} pairs that it announces")


def _lfw_images(base: Path) -> Callable[[_Line, str, str], str]:
    """Return what finds the image of a person by its number, relative to `base`."""
    people = {entry.name for entry in os.scandir(base) if entry.is_dir()}
    if not people:
        raise ValueError(f"{base} has no folder of a person, NAME/NAME_0001.jpg, as pairs in LFW's format need")
    known: dict[str, dict[str, str]] = {}

    def image(line: _Line, person: str, number: str) -> str:
        if person not in people:
            raise line.wrong(unknown("person", person, people))
        if not number.isdecimal():
            raise line.wrong(f"the number of an image is due after {person}, not {number!r}")
        if person not in known:
            known[person] = {os.path.splitext(name)[0]: name for name in sorted(os.listdir(base / person))}
        stem = f"{person}_{int(number):04d}"
        if stem not in known[person]:
            raise line.wrong(f"{person} has no image {int(number)}: {stem}.* is not in {base / person}")
        return f"{person}/{known[person][stem]}"

    return image


def _listed(lines: Sequence[_Line], base: Path) -> Iterator[_Pair]:
    with_fold = len(lines[0].fields) == 4
    for line in lines:
        fields = line.fields
        if len(fields) not in (3, 4) or fields[2] not in ("0", "1"):
            raise line.wrong(f"a pair is PATH PATH SAME or PATH PATH SAME FOLD, SAME 0 or 1, not {' '.join(fields)!r}")
        if (len(fields) == 4) != with_fold:
            raise line.wrong("either every pair has a fold or none")
        if with_fold and not fields[3].isdecimal():
            raise line.wrong(f"the fold is a whole number of at least 0, not {fields[3]!r}")
        first, second = (_listed_image(line, base, field) for field in fields[:2])
        yield _Pair(first, second, fields[2] == "1", int(fields[3]) if with_fold else 0)


def _listed_image(line: _Line, base: Path, field: str) -> str:
    name = PurePosixPath(field)
    if name.is_absolute():
        raise line.wrong(f"image {field} is not relative to the folder of images, {base}")
    if not (base / name).is_file():
        raise line.wrong(f"image {field} is not in {base}")
    return name.as_posix()
