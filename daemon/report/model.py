"""The model of a report: what its manifest says of it, as rows, and its confusion matrix.

A manifest is somebody's file: whatever it lacks is left out, whatever it holds beyond is not shown.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.names import printable
from daemon.palette import CLASS_MARKS, SKY_BLUE
from daemon.report.heat import Cell, tinted
from daemon.report.numbers import number
from daemon.words import percent
from schema.classifier import classifier_of
from schema.records import CLASS_NAMES, BundleRecord

_HELD_OUT = ("metrics", "forest_held_out")
_CORE = ("metrics", "evaluation", "core", "all")

_PLAIN = (
    ("licence", ("licence",), ""),
    ("network", ("architecture",), ""),
    ("sees pixels of", ("model_pixel_size_nm",), "nm"),
    ("accepts pixels of", ("pixel_size_range_nm",), "nm"),
    ("imaging modes", ("imaging_modes",), ""),
    ("smallest counted diameter", ("reliable_diameter_nm",), "nm"),
    ("threshold of probability", ("threshold",), ""),
    ("features", ("feature_set",), ""),
    ("trained on", ("training", "data"), ""),
    ("materials", ("training", "materials"), ""),
    ("domain: smallest diameter", ("domain", "smallest_diameter_nm"), "nm"),
    ("domain: largest diameter", ("domain", "largest_diameter_nm"), "nm"),
    ("domain: pixel size", ("domain", "pixel_size_nm"), "nm"),
    ("domain: dose", ("domain", "dose_e_per_a2"), "e/Å²"),
    ("domain: defocus", ("domain", "defocus_nm"), "nm"),
)
_MEASURED = (
    ("particles found one by one (instance F1)", (*_CORE, "instance_f1")),
    ("overlap of masks (Dice)", (*_CORE, "dice")),
    ("bias of the diameter, as a share", (*_CORE, "diameter_bias")),
    ("balanced accuracy of the classes", (*_HELD_OUT, "balanced_accuracy")),
    ("calibration error of the probabilities", (*_HELD_OUT, "expected_calibration_error")),
)


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """One row of the matrix: particles of a true class by the class given, and the share right."""

    truth: str
    cells: tuple[Cell, ...]
    recall: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is shown of a model; `confusion` is empty where the manifest states no matrix."""

    name: str
    version: str
    sha256: str
    rows: tuple[tuple[str, str], ...]
    measured: tuple[tuple[str, str], ...]
    given: tuple[str, ...]
    confusion: tuple[Confusion, ...]


def model_of(bundle: BundleRecord) -> Model:
    """What its manifest says."""
    manifest: Mapping[str, Any] = json.loads(bundle.manifest_json)
    return Model(
        name=printable(bundle.name),
        version=printable(bundle.version),
        sha256=bundle.sha256,
        rows=tuple(_rows(manifest)),
        measured=tuple(_measured(manifest)),
        given=tuple(CLASS_MARKS[name].words for name in CLASS_NAMES),
        confusion=tuple(_confusion(bundle)),
    )


def _rows(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, keys, unit in _PLAIN:
        value = _at(manifest, keys)
        if value is not None:
            yield name, f"{_text(value)} {unit}".strip()


def _measured(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A value, or a value with its 95 % interval."""
    for name, keys in _MEASURED:
        value = _at(manifest, keys)
        if isinstance(value, int | float):
            yield name, number(value)
        elif isinstance(value, list) and [type(each) for each in value] == [float] * 3:
            middle, low, high = (number(each) for each in value)
            yield name, f"{middle} (95 % {low} to {high})"


def _confusion(bundle: BundleRecord) -> Iterator[Confusion]:
    known = classifier_of(bundle).confusion
    if known is None:
        return
    for place, (name, counts) in enumerate(zip(CLASS_NAMES, known.counts, strict=True)):
        shares = counts / counts.sum()
        yield Confusion(
            truth=CLASS_MARKS[name].words,
            cells=tuple(
                tinted(str(round(count)), share, SKY_BLUE)
                for count, share in zip(counts.tolist(), shares.tolist(), strict=True)
            ),
            recall=percent(float(shares[place])),
        )


def _at(manifest: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """What lies at the end of a way through tables; None where it ends before."""
    found: Any = manifest
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str:
    if isinstance(value, list):
        numbers = all(isinstance(each, int | float) for each in value)
        return (" to " if numbers else ", ").join(_text(each) for each in value)
    return number(value) if isinstance(value, float) else printable(str(value))
