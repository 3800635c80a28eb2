"""What is evaluated on: micrographs with their truth, simulated or real, made only when needed."""

import csv
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.micrograph import Micrograph
from analysis.simulation.dataset import common_material, field_paths, load_field
from analysis.training.micrographs import CORE, RenderConditions, Rendered, calibrated, rendered

NOTHING = "empty"
EMPTY_FRACTION = 0.01  # real patches: a scrap of a particle in a corner is not to be found


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a region of the truth is; None where nobody knows."""

    class_name: str | None = None
    fault: str | None = None
    tilt_deg: float | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A micrograph and its truth.

    `labels`: (H, W) integer instances, 0 is background. `regions`: of each label. `material`:
    without its polytype; "mixed" or "empty". `dose_e_per_a2`, `defocus_nm`: None where unknown.
    """

    set_name: str
    name: str
    material: str
    micrograph: Micrograph
    pixel_size_nm: float
    labels: NDArray[np.integer]
    regions: Mapping[int, Truth] = field(default_factory=dict)
    dose_e_per_a2: float | None = None
    defocus_nm: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is next to nothing to find, so that only false area can be judged."""
        return bool(np.count_nonzero(self.labels) < EMPTY_FRACTION * self.labels.size)


@dataclass(frozen=True, kw_only=True)
class CaseSource:
    """How to come by a case. Equal keys give equal cases."""

    key: str
    make: Callable[[], Case]


def simulated_cases(
    folder: Path,
    set_name: str,
    seed: int,
    conditions: RenderConditions = CORE,
    most: int | None = None,
) -> list[CaseSource]:
    """One case for each field of a folder, seen under conditions drawn from (seed, its number).

    Two calls that differ in one range of the conditions differ in nothing else.
    """
    folder_digest = _digest((folder / "manifest.json").read_text(encoding="utf-8"))
    sources = []
    for index, path in enumerate(field_paths(folder)[:most]):
        drawn_from = _digest(folder_digest, seed, index, asdict(conditions))
        sources.append(
            CaseSource(
                key=f"{set_name}/{path.stem}/{drawn_from}",
                make=_maker(path, set_name, (seed, index), conditions),
            )
        )
    return sources


def _maker(
    path: Path, set_name: str, seed: Sequence[int], conditions: RenderConditions
) -> Callable[[], Case]:
    def make() -> Case:
        rng = np.random.default_rng(seed)
        return as_case(set_name, rendered(load_field(path), rng, path.stem, conditions))

    return make


def as_case(set_name: str, seen: Rendered) -> Case:
    """A rendered field as a case."""
    size_nm = seen.micrograph.calibration.pixel_size_nm
    if size_nm is None:
        raise ValueError("a rendered micrograph has a pixel size")
    present = set(np.unique(seen.labels).tolist())
    shown = [region for region in seen.regions if region.label in present]
    return Case(
        set_name=set_name,
        name=seen.micrograph.source.file_name,
        material=common_material([region.material for region in shown]) or NOTHING,
        micrograph=seen.micrograph,
        pixel_size_nm=size_nm,
        labels=seen.labels,
        regions={
            region.label: Truth(
                class_name=region.class_name,
                fault=region.fault,
                tilt_deg=math.degrees(region.tilt_mrad / 1e3),
            )
            for region in shown
        },
        dose_e_per_a2=seen.exposure.dose_e_per_a2,
        defocus_nm=seen.optics.defocus_nm,
    )


def real_cases(folder: Path) -> list[CaseSource]:
    """One case for each row of the folder's `manifest.csv`: file, mask, material, pixel_size_nm.

    Touching outlines of a mask are one region: a mask tells particles from background, no more.

    Raises:
        FileNotFoundError: no manifest, or a file it names is not there.
        ValueError: a row lacks a column or its pixel size is no number.
    """
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    sources = []
    for number, row in enumerate(rows, start=1):
        if missing := {"file", "mask", "pixel_size_nm"} - set(row):
            raise ValueError(f"{folder / 'manifest.csv'}: no column {', '.join(sorted(missing))}")
        contents = [(folder / row[name]).read_bytes() for name in ("file", "mask")]
        size_nm = float(row["pixel_size_nm"])
        key = f"real/{number:03d}-{row['file']}/{_digest(*map(_sha, contents), size_nm)}"
        sources.append(CaseSource(key=key, make=_reader(folder, row, size_nm)))
    return sources


def _reader(folder: Path, row: Mapping[str, str], size_nm: float) -> Callable[[], Case]:
    def make() -> Case:
        image = _picture(folder / row["file"], cv2.IMREAD_ANYDEPTH)
        truth = _picture(folder / row["mask"], cv2.IMREAD_GRAYSCALE) != 0
        if image.shape != truth.shape:
            raise ValueError(f"{row['file']}: {image.shape}, its mask {truth.shape}")
        _, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
        return Case(
            set_name="real",
            name=row["file"],
            material=row.get("material") or "unknown",
            micrograph=calibrated(image, size_nm, row["file"]),
            pixel_size_nm=size_nm,
            labels=np.asarray(labels),
        )

    return make


def _picture(path: Path, mode: int) -> NDArray[np.generic]:
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise ValueError(f"{path} is no picture")
    return np.asarray(picture)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(*values: object) -> str:
    return _sha(json.dumps(values, sort_keys=True).encode())[:16]
