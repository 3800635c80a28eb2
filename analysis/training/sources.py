"""Where training samples come from: simulated fields, or micrographs somebody labelled.

A source is a small value that goes to the processes that render; what it draws depends on the
generator alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from analysis.training.crops import Sample
from analysis.training.labelled import LabelledImage, LabelledVariety, draw_labelled

if TYPE_CHECKING:
    from analysis.training.samples import Conditions

HELD_OUT_EVERY = 5  # one in five is not trained on, as in the paper's 4:1


class Source(Protocol):
    """Samples without end."""

    def __len__(self) -> int:
        """How many different fields or images there are now."""

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """A new sample of one of them."""

    def parted(self, rng: np.random.Generator) -> tuple[Self, Self]:
        """What to train on, and what to hold out: whole fields or images, one in five."""

    def described(self) -> dict[str, Any]:
        """For the manifest: what it is, without where it lies."""


@dataclass(frozen=True, kw_only=True)
class SimulatedFields:
    """A folder of `analysis.simulation.dataset`; one that still grows is used as it is then.

    `numbers`: of the fields that are meant; None means all there are. `conditions`: what happens
    to a micrograph; None takes the usual. `material`: they were chosen by, for the manifest.
    """

    folder: Path
    numbers: tuple[int, ...] | None = None
    conditions: "Conditions | None" = None
    material: str | None = None

    def __len__(self) -> int:
        """Fields there are now."""
        return len(self.paths())

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """A micrograph of a field through optics and at a dose of its own."""
        from analysis.simulation.dataset import load_field
        from analysis.training.samples import USUAL, draw_sample

        conditions = USUAL if self.conditions is None else self.conditions
        return draw_sample(load_field(self.paths()[index]), rng, conditions)

    def parted(self, rng: np.random.Generator) -> tuple["SimulatedFields", "SimulatedFields"]:
        """By field."""
        numbers = tuple(range(len(self))) if self.numbers is None else self.numbers
        kept, held = (tuple(numbers[i] for i in part) for part in _parted(len(self), rng))
        return replace(self, numbers=kept), replace(self, numbers=held)

    def described(self) -> dict[str, Any]:
        """The data set's own manifest by its hash, and how many of its fields."""
        manifest = (self.folder / "manifest.json").read_bytes()
        return {
            "kind": "simulated fields",
            "name": self.folder.resolve().name,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "fields": len(self),
            **({} if self.material is None else {"material": self.material}),
        }

    def paths(self) -> list[Path]:
        """Of the fields, in order."""
        from analysis.simulation.dataset import field_paths

        paths = field_paths(self.folder)
        return paths if self.numbers is None else [paths[number] for number in self.numbers]


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """Micrographs with masks, as `labelled.labelled_images` found them."""

    name: str
    images: tuple[LabelledImage, ...]
    variety: LabelledVariety = field(default_factory=LabelledVariety)

    def __len__(self) -> int:
        """Images."""
        return len(self.images)

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """A part of the image, changed a little."""
        return draw_labelled(self.images[index], rng, self.variety)

    def parted(self, rng: np.random.Generator) -> tuple["LabelledImages", "LabelledImages"]:
        """By image."""
        kept, held = _parted(len(self), rng)
        return (
            replace(self, images=tuple(self.images[number] for number in kept)),
            replace(self, images=tuple(self.images[number] for number in held)),
        )

    def described(self) -> dict[str, Any]:
        """The names of the images, and one hash over all images and masks."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(hashlib.sha256(image.image.read_bytes()).digest())
            digest.update(hashlib.sha256(image.mask.read_bytes()).digest())
        return {
            "kind": "labelled images",
            "name": self.name,
            "sha256": digest.hexdigest(),
            "images": [image.image.name for image in self.images],
            "variety": asdict(self.variety),
        }


def _parted(count: int, rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Numbers to train on and to hold out, each in order; at least one of each.

    Raises:
        ValueError: fewer than two.
    """
    if count < 2:
        raise ValueError(f"{count} cannot be parted into what is trained on and what is held out")
    shuffled = [int(number) for number in rng.permutation(count)]
    held = max(1, round(count / HELD_OUT_EVERY))
    return tuple(sorted(shuffled[held:])), tuple(sorted(shuffled[:held]))


def parted(sources: Sequence[Source], seed: int) -> tuple[list[Source], list[Source]]:
    """Every source without the fifth that is held out, and that fifth.

    Raises:
        ValueError: a source holds one field or image alone.
    """
    pairs = [
        source.parted(np.random.default_rng([seed, index])) for index, source in enumerate(sources)
    ]
    return [kept for kept, _ in pairs], [held for _, held in pairs]
