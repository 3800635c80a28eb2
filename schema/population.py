"""The population of particles in numbers, each with the count it rests on.

Pure: results and arrays in, a frozen `Population` out. First `choose` decides which results may
count, and why the others do not; then `describe` computes the figures of their particles. It
reports the quantities that ISO 21363 and ISO 9276 name and claims no conformity.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from schema.distribution import (
    CONFIDENCE,
    Estimate,
    Proportion,
    median_interval,
    nice_edges,
    proportion,
)
from schema.records import CLASS_NAMES
from schema.summaries import COUNTING_RULE, SIZE_CLASSES

UNCLASSIFIED = -1
RESAMPLES = 1000


class LeftOut(StrEnum):
    """Why all particles of a result stay outside statistics, in the order that is tried."""

    SUSPECT = "suspect"
    UNCALIBRATED = "uncalibrated"
    OUT_OF_DOMAIN = "out_of_domain"
    OTHER_PIPELINE = "other_pipeline"
    IDENTICAL_PIXELS = "identical_pixels"
    SAME_FIELD_OF_VIEW = "same_field_of_view"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may count; the default is what a publication would state.

    `pipeline_fingerprint` None takes the pipeline of the newest result that may count.
    """

    suspect: bool = False
    out_of_domain: bool = False
    pipeline_fingerprint: str | None = None


DEFAULT_RULES = Rules()


@dataclass(frozen=True, kw_only=True)
class Result:
    """The current result of one micrograph, without its particles.

    `area_nm2` is the area imaged, None without a pixel size.
    """

    analysis_id: int
    micrograph_id: int
    field_of_view_id: int
    pixel_sha256: str
    pipeline_fingerprint: str
    activated_at_utc: datetime
    in_domain: bool
    suspect: bool
    is_sum: bool
    signal_index: int
    frame_index: int | None
    area_nm2: float | None
    size_limit_nm: float
    particle_count: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The results that count, one per field of view, and how many regions the others hold."""

    results: tuple[Result, ...]
    left_out: Mapping[LeftOut, int]
    pipeline_fingerprint: str | None

    @property
    def analysis_ids(self) -> tuple[int, ...]:
        """The analyses whose particles are to be read."""
        return tuple(result.analysis_id for result in self.results)


@dataclass(frozen=True, kw_only=True)
class Particles:
    """The regions of the chosen results, as arrays of one length N.

    `analysis_id` (N,) int64; `class_code` (N,) int8, index into `CLASS_NAMES` or -1;
    `diameter_nm` (N,) float64, NaN where unknown; `touches_border` (N,) bool; `excluded` (N,)
    object, the reason or None.
    """

    analysis_id: NDArray[np.int64]
    class_code: NDArray[np.int8]
    diameter_nm: NDArray[np.float64]
    touches_border: NDArray[np.bool_]
    excluded: NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class Population:
    """The figures of one selection.

    Every region found is counted once: found = Σ class_counts + unclassified + Σ excluded.
    `particles` are those whose size counts: crystalline single particles away from the border.
    Sizes are area-equivalent diameters, number-weighted; a figure is None where there are too
    few particles for it.
    """

    found: int
    particles: int
    micrographs: int
    fields_of_view: int
    area_imaged_nm2: float
    excluded: Mapping[str, int]
    class_counts: Mapping[str, int]
    unclassified: int
    counting_rule: str
    pipeline_fingerprint: str | None
    size_limit_nm: float | None
    d10_nm: float | None
    d50_nm: Estimate
    d90_nm: float | None
    mean_nm: float | None
    standard_deviation_nm: float | None
    geometric_mean_nm: float | None
    geometric_standard_deviation: float | None
    size_edges_nm: tuple[float, ...]
    size_histogram: tuple[int, ...]
    observable_fraction: Proportion
    stacking_fault_fraction: Proportion


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
    for result in sorted(results, key=_preference):
        reason = _bar(result, rules, fingerprint)
        if reason is None and result.pixel_sha256 in pictures:
            reason = LeftOut.IDENTICAL_PIXELS
            fields.add(result.field_of_view_id)  # the picture that counts shows this field too
        if reason is None and result.field_of_view_id in fields:
            reason = LeftOut.SAME_FIELD_OF_VIEW
        if reason is not None:
            reasons[reason] += result.particle_count
            continue
        pictures.add(result.pixel_sha256)
        fields.add(result.field_of_view_id)
        chosen.append(result)
    ordered = {reason: reasons[reason] for reason in LeftOut if reason in reasons}
    return Choice(results=tuple(chosen), left_out=ordered, pipeline_fingerprint=fingerprint)


def counts_for_size(particles: Particles) -> NDArray[np.bool_]:
    """(N,) whether size and shape of a region belong to the population by the counting rule."""
    codes = [CLASS_NAMES.index(name) for name in SIZE_CLASSES]
    single_crystal = np.isin(particles.class_code, codes)
    return _is_counted(particles) & single_crystal & np.isfinite(particles.diameter_nm)


def describe(
    choice: Choice,
    particles: Particles,
    rng: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
) -> Population:
    """The figures of the particles of the chosen results.

    Args:
        choice: from `choose`.
        particles: all regions of the chosen results.
        rng: draws the bootstrap; without one the median has no interval.
        resamples: of the fields of view.
    """
    counted = _is_counted(particles)
    classes = Counter(particles.class_code[counted].tolist())
    by_name = {name: classes[code] for code, name in enumerate(CLASS_NAMES)}
    sized = counts_for_size(particles)
    diameter_nm = particles.diameter_nm[sized]
    edges = nice_edges(diameter_nm)
    observable = by_name["stacking_fault"] + by_name["no_stacking_fault"]
    return Population(
        found=sum(choice.left_out.values()) + particles.analysis_id.size,
        particles=diameter_nm.size,
        micrographs=len(choice.results),
        fields_of_view=len({result.field_of_view_id for result in choice.results}),
        area_imaged_nm2=sum(result.area_nm2 or 0.0 for result in choice.results),
        excluded=_excluded(choice, particles),
        class_counts=by_name,
        unclassified=classes[UNCLASSIFIED],
        counting_rule=COUNTING_RULE,
        pipeline_fingerprint=choice.pipeline_fingerprint,
        size_limit_nm=max((result.size_limit_nm for result in choice.results), default=None),
        d50_nm=_median(choice, particles.analysis_id[sized], diameter_nm, rng, resamples),
        **_moments(diameter_nm),
        size_edges_nm=tuple(edges.tolist()),
        size_histogram=tuple(np.histogram(diameter_nm, edges)[0].tolist()) if edges.size else (),
        observable_fraction=proportion(observable, observable + by_name["misoriented"]),
        stacking_fault_fraction=proportion(by_name["stacking_fault"], observable),
    )


def _preference(result: Result) -> tuple[bool, int, int, int]:
    frame = -1 if result.frame_index is None else result.frame_index
    return (not result.is_sum, result.signal_index, frame, result.micrograph_id)


def _newest_pipeline(results: Sequence[Result], rules: Rules) -> str | None:
    eligible = [result for result in results if _flaw(result, rules) is None]
    if not eligible:
        return None
    newest = max(eligible, key=lambda result: (result.activated_at_utc, result.analysis_id))
    return newest.pipeline_fingerprint


def _flaw(result: Result, rules: Rules) -> LeftOut | None:
    if result.suspect and not rules.suspect:
        return LeftOut.SUSPECT
    if result.area_nm2 is None:
        return LeftOut.UNCALIBRATED
    if not result.in_domain and not rules.out_of_domain:
        return LeftOut.OUT_OF_DOMAIN
    return None


def _bar(result: Result, rules: Rules, fingerprint: str | None) -> LeftOut | None:
    flaw = _flaw(result, rules)
    if flaw is None and result.pipeline_fingerprint != fingerprint:
        return LeftOut.OTHER_PIPELINE
    return flaw


def _is_kept(particles: Particles) -> NDArray[np.bool_]:
    return np.asarray(np.equal(particles.excluded, np.array(None, dtype=object)), dtype=np.bool_)


def _is_counted(particles: Particles) -> NDArray[np.bool_]:
    return _is_kept(particles) & ~particles.touches_border


def _excluded(choice: Choice, particles: Particles) -> dict[str, int]:
    kept = _is_kept(particles)
    reasons = Counter(particles.excluded[~kept].tolist())
    border = int(np.count_nonzero(kept & particles.touches_border))
    by_particle = dict(sorted(reasons.items())) | ({"touches_border": border} if border else {})
    by_result = {str(reason): count for reason, count in choice.left_out.items() if count}
    return by_particle | by_result


def _median(
    choice: Choice,
    analysis_id: NDArray[np.int64],
    diameter_nm: NDArray[np.float64],
    rng: np.random.Generator | None,
    resamples: int,
) -> Estimate:
    if diameter_nm.size == 0:
        return Estimate(value=None, method="no particle to measure")
    value = float(np.median(diameter_nm))
    if rng is None:
        return Estimate(value=value, method="no interval was asked for")
    # One result stands for one field of view, so its analysis is the cluster.
    fields = np.sort(np.array(choice.analysis_ids, dtype=np.int64))
    cluster = np.searchsorted(fields, analysis_id)
    interval = median_interval(diameter_nm, cluster, fields.size, rng, resamples)
    if interval is None:
        return Estimate(value=value, method="one field of view only")
    method = f"bootstrap over {fields.size} fields of view, {resamples} resamples"
    return Estimate(value=value, low=interval[0], high=interval[1], method=method)


def _moments(diameter_nm: NDArray[np.float64]) -> dict[str, float | None]:
    """Quantiles and moments, None where there are too few sizes; standard deviations of n - 1."""
    names = (
        "d10_nm",
        "d90_nm",
        "mean_nm",
        "standard_deviation_nm",
        "geometric_mean_nm",
        "geometric_standard_deviation",
    )
    if diameter_nm.size == 0:
        return dict.fromkeys(names)
    logs = np.log(diameter_nm)
    many = diameter_nm.size > 1
    values = (
        float(np.quantile(diameter_nm, 0.1)),
        float(np.quantile(diameter_nm, 0.9)),
        float(diameter_nm.mean()),
        float(diameter_nm.std(ddof=1)) if many else None,
        float(np.exp(logs.mean())),
        float(np.exp(logs.std(ddof=1))) if many else None,
    )
    return dict(zip(names, values, strict=True))


def to_json_values(population: Population) -> dict[str, object]:
    """The population under the names that `summary --json` promises.

    Quantities of later releases are there and None.
    """
    plain = asdict(population)
    interval = population.d50_nm
    return plain | {
        "d50_nm": interval.value,
        "lognormal": {
            "geometric_mean_nm": population.geometric_mean_nm,
            "geometric_standard_deviation": population.geometric_standard_deviation,
        },
        "bootstrap": {
            "d50_nm": [interval.low, interval.high],
            "confidence": CONFIDENCE,
            "method": interval.method,
        },
        "observable_fraction": _proportion_values(population.observable_fraction),
        "stacking_fault_fraction": _proportion_values(population.stacking_fault_fraction)
        | {"corrected": None},
        "needed": None,
    }


def _proportion_values(proportion: Proportion) -> dict[str, object]:
    return {
        "count": proportion.count,
        "total": proportion.total,
        "value": proportion.value,
        "wilson": [proportion.low, proportion.high],
    }
