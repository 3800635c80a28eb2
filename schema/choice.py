"""Which results may count in one statistic, and why the others do not. Pure: results in and out.

One result per field of view and picture, of one pipeline; suspect, uncalibrated and out-of-domain
micrographs stay outside unless they are asked for.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LeftOut(StrEnum):
    """Why all particles of a result stay outside statistics, in the order that is tried."""

    SUSPECT = "suspect"
    UNCALIBRATED = "uncalibrated"
    OUT_OF_DOMAIN = "out_of_domain"
    OTHER_PIPELINE = "other_pipeline"
    IDENTICAL_PIXELS = "identical_pixels"
    SAME_FIELD_OF_VIEW = "same_field_of_view"


SIZE_CLASSES = ("stacking_fault", "no_stacking_fault", "misoriented")
"""The classes of crystalline single particles, whose size and shape count."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may count; the default is what a publication would state.

    `pipeline_fingerprint` None takes the pipeline of the newest result that may count.
    `every_frame`: all frames of a series count, though they show the same particles, and its sum
    does not.
    `uncalibrated`: particles of micrographs without a pixel size, and so of no known size, count in
    the fractions.
    `border_weights`: particles away from the border stand for those that touch it.
    `min_nm`, `max_nm`: area-equivalent diameters from the one, below the other, count.
    `size_classes`: whose size and shape count; fractions are of all classes.
    """

    suspect: bool = False
    out_of_domain: bool = False
    uncalibrated: bool = False
    every_frame: bool = False
    border_weights: bool = True
    pipeline_fingerprint: str | None = None
    min_nm: float | None = None
    max_nm: float | None = None
    size_classes: tuple[str, ...] = SIZE_CLASSES

    @property
    def size_range_nm(self) -> tuple[float, float] | None:
        """Diameters that count, from the first and below the second; None where all do."""
        if self.min_nm is None and self.max_nm is None:
            return None
        highest = math.inf if self.max_nm is None else self.max_nm
        return self.min_nm or 0.0, highest


DEFAULT_RULES = Rules()


@dataclass(frozen=True, kw_only=True)
class Result:
    """The current result of one micrograph, without its particles.

    `height_nm`, `width_nm`: of the field of view, None without a pixel size. `seen_at_utc`: when
    its file was first seen.
    """

    analysis_id: int
    micrograph_id: int
    field_of_view_id: int
    pixel_sha256: str
    pipeline_fingerprint: str
    activated_at_utc: datetime
    seen_at_utc: datetime
    in_domain: bool
    suspect: bool
    is_sum: bool
    signal_index: int
    frame_index: int | None
    height_nm: float | None
    width_nm: float | None
    size_limit_nm: float
    particle_count: int

    @property
    def area_nm2(self) -> float | None:
        """Area imaged, None without a pixel size."""
        if self.height_nm is None or self.width_nm is None:
            return None
        return self.height_nm * self.width_nm


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The results that count, and how many regions the others hold, by the reason."""

    results: tuple[Result, ...]
    left_out: Mapping[LeftOut, int]
    pipeline_fingerprint: str | None
    rules: Rules

    @property
    def analysis_ids(self) -> tuple[int, ...]:
        """The analyses whose particles are to be read."""
        return tuple(result.analysis_id for result in self.results)

    @property
    def fields_of_view(self) -> int:
        """How many there are: what is independent of each other."""
        return len({result.field_of_view_id for result in self.results})


def choose(results: Sequence[Result], rules: Rules = DEFAULT_RULES) -> Choice:
    """One result per field of view and picture, of one pipeline.

    Of a field of view the sum of a series counts if there is one, else its first frame that may
    count; of identical pictures the first.
    """
    reasons: Counter[LeftOut] = Counter()
    fingerprint = rules.pipeline_fingerprint or _newest_pipeline(results, rules)
    chosen: list[Result] = []
    pictures: set[str] = set()
    fields: set[int] = set()
    for result in sorted(results, key=lambda result: _preference(result, rules)):
        reason = _bar(result, rules, fingerprint)
        if reason is None and result.pixel_sha256 in pictures:
            reason = LeftOut.IDENTICAL_PIXELS
            fields.add(result.field_of_view_id)  # the picture that counts shows this field too
        repeats = result.field_of_view_id in fields and (result.is_sum or not rules.every_frame)
        if reason is None and repeats:
            reason = LeftOut.SAME_FIELD_OF_VIEW
        if reason in (None, LeftOut.SAME_FIELD_OF_VIEW):
            pictures.add(result.pixel_sha256)  # a copy of it shows what is counted already
        if reason is not None:
            reasons[reason] += result.particle_count
            continue
        fields.add(result.field_of_view_id)
        chosen.append(result)
    ordered = {reason: reasons[reason] for reason in LeftOut if reason in reasons}
    return Choice(
        results=tuple(chosen), left_out=ordered, pipeline_fingerprint=fingerprint, rules=rules
    )


def _preference(result: Result, rules: Rules) -> tuple[bool, int, int, int]:
    frame = -1 if result.frame_index is None else result.frame_index
    return (result.is_sum is rules.every_frame, result.signal_index, frame, result.micrograph_id)


def _newest_pipeline(results: Sequence[Result], rules: Rules) -> str | None:
    eligible = [result for result in results if _flaw(result, rules) is None]
    if not eligible:
        return None
    newest = max(eligible, key=lambda result: (result.activated_at_utc, result.analysis_id))
    return newest.pipeline_fingerprint


def _flaw(result: Result, rules: Rules) -> LeftOut | None:
    if result.suspect and not rules.suspect:
        return LeftOut.SUSPECT
    if result.area_nm2 is None and not rules.uncalibrated:
        return LeftOut.UNCALIBRATED
    if not result.in_domain and not rules.out_of_domain:
        return LeftOut.OUT_OF_DOMAIN
    return None


def _bar(result: Result, rules: Rules, fingerprint: str | None) -> LeftOut | None:
    flaw = _flaw(result, rules)
    if flaw is None and result.pipeline_fingerprint != fingerprint:
        return LeftOut.OTHER_PIPELINE
    return flaw
