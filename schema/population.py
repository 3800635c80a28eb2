"""The population of particles in numbers, each with the count it rests on and its uncertainty.

Pure: results and arrays in, a frozen `Population` out. `choice.choose` decides which results may
count; `describe` computes the figures of their particles. It reports the quantities that ISO 21363
and ISO 9276 name and claims no conformity.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema import border
from schema.choice import SIZE_CLASSES, Choice, Rules
from schema.correction import Classifier
from schema.distribution import (
    Deciles,
    Moments,
    deciles,
    moments,
    nice_edges,
    power_sums,
)
from schema.fits import Fit, Model, fitted
from schema.fractions import Fraction, fractions, tallied
from schema.records import CLASS_NAMES
from schema.resampling import LEAST_FIELDS, RESAMPLES, FieldBootstrap
from schema.sample import Particles, Sample, excluded, sample
from schema.summaries import UNCLASSIFIED

Floats = NDArray[np.float64]

NOT_ASKED = Classifier(reason="not asked for")
UNCALIBRATED_TOO = "micrographs without a pixel size count in the fractions, without border weights"
NO_WEIGHTS = "particles that touch the border are left out, no correction for it"


@dataclass(frozen=True, kw_only=True)
class Population:
    """The figures of one selection.

    Every region found is counted once: found = Σ class_counts + unclassified + Σ excluded.
    `particles` are those whose size and shape count: crystalline single particles away from the
    border, where the rules do not say otherwise. Sizes are area-equivalent diameters in nm,
    number-weighted by the counting rule; a figure is None where there are too few particles for it,
    a fit where no law fits.
    `size_histogram` counts particles as they are. `interval_method` names how the 95 % intervals
    were made, or why there are none; `pixel_size_uncertainty`, half the 95 % interval of the pixel
    size as a share of it, is in none of them.
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
    interval_method: str
    pipeline_fingerprint: str | None
    pixel_size_uncertainty: float | None
    size_limit_nm: float | None
    diameter_nm: Deciles
    moments_nm: Moments
    aspect_ratio: Deciles
    circularity: Deciles
    lognormal: Fit | None
    normal: Fit | None
    size_edges_nm: tuple[float, ...]
    size_histogram: tuple[int, ...]
    observable_fraction: Fraction
    stacking_fault_fraction: Fraction


def describe(
    choice: Choice,
    particles: Particles,
    rng: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
    classifier: Classifier = NOT_ASKED,
    pixel_size_uncertainty: float | None = None,
    tested: bool = False,
) -> Population:
    """The figures of the particles of the chosen results.

    Args:
        choice: from `choose`.
        particles: all regions of the chosen results, in their order.
        rng: draws the bootstrap; without one nothing has an interval.
        resamples: of the fields of view.
        classifier: what is known of its errors.
        pixel_size_uncertainty: of all micrographs, None where it is not stated for each.
        tested: whether the fits are tested as well, which takes a second longer.
    """
    counted = sample(choice, particles)
    bootstrap = None if rng is None else FieldBootstrap(counted.fields, rng, resamples)
    tallies = tallied(counted.field, counted.class_code, counted.weight, bootstrap)
    shares = fractions(tallies, classifier, rng)
    sized = _Sized.of(counted)
    size_limit = _size_limit_nm(choice)
    lognormal, normal = sized.fits(choice.rules, size_limit or 0.0, bootstrap, tested)
    edges = nice_edges(sized.diameter_nm)
    return Population(
        found=sum(choice.left_out.values()) + particles.table.size,
        particles=sized.diameter_nm.size,
        micrographs=len(choice.results),
        fields_of_view=counted.fields,
        area_imaged_nm2=sum(result.area_nm2 or 0.0 for result in choice.results),
        excluded=excluded(choice, particles),
        class_counts={
            name: round(number) for name, number in zip(CLASS_NAMES, tallies.counts[0], strict=True)
        },
        unclassified=int(np.count_nonzero(counted.class_code == UNCLASSIFIED)),
        counting_rule=counting_rule(choice.rules),
        interval_method=_method(bootstrap),
        pipeline_fingerprint=choice.pipeline_fingerprint,
        pixel_size_uncertainty=pixel_size_uncertainty,
        size_limit_nm=size_limit,
        diameter_nm=sized.deciles(sized.diameter_nm, bootstrap),
        moments_nm=_moments(sized, bootstrap),
        aspect_ratio=sized.deciles(sized.aspect_ratio, bootstrap),
        circularity=sized.deciles(sized.circularity, bootstrap),
        lognormal=lognormal,
        normal=normal,
        size_edges_nm=tuple(edges.tolist()),
        size_histogram=_histogram(sized.diameter_nm, edges),
        observable_fraction=shares.observable,
        stacking_fault_fraction=shares.stacking_fault,
    )


def counting_rule(rules: Rules) -> str:
    """What counts, in words: the rule of the border, and what departs from the default."""
    words = [border.COUNTING_RULE if rules.border_weights else NO_WEIGHTS]
    if rules.size_classes != SIZE_CLASSES:
        words.append(f"size and shape of {', '.join(rules.size_classes)} alone")
    if rules.min_nm is not None:
        words.append(f"particles from {rules.min_nm:g} nm")
    if rules.max_nm is not None:
        words.append(f"particles below {rules.max_nm:g} nm")
    for departs, what in (
        (rules.every_frame, "every frame of a series counts"),
        (rules.suspect, "suspect micrographs count"),
        (rules.out_of_domain, "micrographs outside the model's domain count"),
        (rules.uncalibrated, UNCALIBRATED_TOO),
    ):
        words += [what] if departs else []
    return "; ".join(words)


def _size_limit_nm(choice: Choice) -> float | None:
    calibrated = [result for result in choice.results if result.area_nm2 is not None]
    limits = [result.size_limit_nm for result in calibrated]
    return max([*limits, choice.rules.min_nm or 0.0]) if limits else None


@dataclass(frozen=True, kw_only=True)
class _Sized:
    """The particles of a sample whose size and shape count."""

    field: NDArray[np.int64]
    weight: Floats
    diameter_nm: Floats
    aspect_ratio: Floats
    circularity: Floats

    @classmethod
    def of(cls, counted: Sample) -> "_Sized":
        names, sized = cls.__dataclass_fields__, counted.is_sized
        return cls(**{name: getattr(counted, name)[sized] for name in names})

    def deciles(self, values: Floats, bootstrap: FieldBootstrap | None) -> Deciles:
        return deciles(self.field, values, self.weight, bootstrap)

    def fits(
        self, rules: Rules, limit_nm: float, bootstrap: FieldBootstrap | None, tested: bool
    ) -> tuple[Fit | None, Fit | None]:
        """Lognormal and normal; none where large ones are left out: they know of no upper limit."""
        if rules.max_nm is not None:
            return None, None

        order = np.argsort(self.diameter_nm)  # once, for both; of equal ones any may be first
        sizes = (self.field[order], self.diameter_nm[order], self.weight[order])

        def fit(model: Model) -> Fit | None:
            return fitted(model, *sizes, limit_nm, bootstrap, tested=tested)

        return fit("lognormal"), fit("normal")


def _method(bootstrap: FieldBootstrap | None) -> str:
    if bootstrap is None:
        return "no interval was asked for"
    if bootstrap.fields < LEAST_FIELDS:
        return f"fewer than {LEAST_FIELDS} fields of view: no interval"
    return f"bootstrap over {bootstrap.fields} fields of view, {bootstrap.resamples} resamples"


def _moments(sized: _Sized, bootstrap: FieldBootstrap | None) -> Moments:
    terms = power_sums(sized.diameter_nm, sized.weight)
    drawn = bootstrap.sums(sized.field, terms) if bootstrap else np.full((1, 5), np.nan)
    return moments(terms.sum(axis=0), sized.diameter_nm.size, bootstrap, drawn)


def _histogram(diameter_nm: Floats, edges: Floats) -> tuple[int, ...]:
    return tuple(np.histogram(diameter_nm, edges)[0].tolist()) if edges.size else ()
