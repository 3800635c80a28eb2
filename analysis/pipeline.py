"""One micrograph in, its particles out; reads as a table of contents.

The domain gate comes before any resampling: an image the model was not made for is not segmented
unless that is forced, and says so.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from analysis import features
from analysis.bundle import Bundle, Manifest
from analysis.forest import CLASS_NAMES, Forest
from analysis.junctions import Junctions
from analysis.micrograph import Acquisition, Calibration, ImagingMode, Micrograph, Source
from analysis.preprocess import Prepared, PreprocessRecipe, prepare
from analysis.regions import (
    Labels,
    Region,
    exclusion,
    label_particles,
    measure,
    resize_probability,
    size_limit_nm,
)
from analysis.segment import Probabilities

ANALYSIS_VERSION = 3  # raised by hand when numbers change
STRETCH = 2.0  # forced beyond the pixel range by more than this: native pixels, no resampling
FULL_PROBABILITY = 255

Image = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """What an operator may choose; None takes the bundle's.

    `min_diameter_nm`: the size limit is this or the bundle's reliable diameter, the larger.
    """

    preprocess_recipe: PreprocessRecipe | None = None
    threshold: float | None = None
    min_diameter_nm: float = 1.0
    opening_radius_nm: float = 0.2  # specks and bridges narrower than 0.4 nm are no particle
    closing_radius_nm: float = 0.1  # more would join particles that lie 0.45 nm apart


@dataclass(frozen=True, kw_only=True)
class DomainVerdict:
    """Whether the model was made for such an image, and if not, why in one sentence."""

    in_domain: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Particle:
    """One region, what it looks like, and what it is.

    `features`: every one the bundle names; None for what needs a pixel size where none is known.
    `class_name`, `class_probabilities`: None without pixel size or forest. `excluded`:
    why it stays outside statistics, or None.
    """

    region: Region
    features: Mapping[str, float | None] | None
    class_name: str | None
    class_probabilities: Mapping[str, float] | None
    excluded: str | None


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Everything found in one micrograph; no pixels."""

    source: Source
    calibration: Calibration
    acquisition: Acquisition
    shape_px: tuple[int, int]
    pixel_sha256: str
    suspect: str | None
    natural_key: str
    fingerprint: str
    in_domain: bool
    domain_reason: str | None
    segmented: bool
    forced: bool
    scale_assumed: bool
    size_limit_nm: float
    background_deviation: float | None
    particles: tuple[Particle, ...]
    seconds: float
    device: str


@dataclass(frozen=True, kw_only=True)
class Masks:
    """The pictures that belong to an analysis.

    `labels`: (H, W), 0 background. `probability`: (h, w) uint8 = round(255·p), on the network's
    grid, whose pixel is `probability_pixel_size_nm`; None where no pixel size is known.
    """

    labels: Labels
    probability: NDArray[np.uint8]
    probability_pixel_size_nm: float | None


def fingerprint(manifest_sha256: str, settings: AnalysisSettings) -> str:
    """Names the pipeline: results with one fingerprint are comparable. 64 hexadecimal digits."""
    return _digest([ANALYSIS_VERSION, manifest_sha256, asdict(settings)])


def natural_key(
    pixel_sha256: str,
    signal_index: int,
    frame_index: int | None,
    pixel_size_nm: float | None,
    fingerprint: str,
    forced_out_of_domain: bool,
) -> str:
    """Names a result: the same picture through the same pipeline. 64 hexadecimal digits."""
    size = None if pixel_size_nm is None else float(pixel_size_nm).hex()
    return _digest(
        [pixel_sha256, signal_index, frame_index, size, fingerprint, forced_out_of_domain]
    )


def domain(manifest: Manifest, calibration: Calibration, acquisition: Acquisition) -> DomainVerdict:
    """Whether the model was made for such an image; what is unknown does not speak against it."""
    mode = acquisition.imaging_mode
    if mode is not ImagingMode.UNKNOWN and mode.value not in manifest.imaging_modes:
        known = " and ".join(manifest.imaging_modes)
        return DomainVerdict(
            in_domain=False, reason=f"this is a {mode.value} image; the model knows {known}"
        )
    size_nm = calibration.pixel_size_nm
    low, high = manifest.pixel_size_range_nm
    if size_nm is not None and not low <= size_nm <= high:
        reason = f"{size_nm:.4g} nm per pixel; the model knows {low:g} to {high:g} nm per pixel"
        return DomainVerdict(in_domain=False, reason=reason)
    return DomainVerdict(in_domain=True)


def analyse(
    micrograph: Micrograph,
    bundle: Bundle,
    settings: AnalysisSettings,
    force: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Analysis, Masks | None]:
    """The particles of one micrograph, and its masks where it was segmented.

    Args:
        micrograph: as a reader gave it.
        bundle: the model.
        settings: what the operator chose.
        force: segment what the model was not made for, marked as forced.
        clock: seconds, for the time it took.
    """
    started = clock()
    manifest = bundle.manifest
    verdict = domain(manifest, micrograph.calibration, micrograph.acquisition)
    forced = force and not verdict.in_domain
    found = _Found()
    masks = None
    if verdict.in_domain or force:
        found, masks = _segmented(micrograph, bundle, settings)
    name = fingerprint(manifest.sha256, settings)
    source, size_nm = micrograph.source, micrograph.calibration.pixel_size_nm
    analysis = Analysis(
        source=source,
        calibration=micrograph.calibration,
        acquisition=micrograph.acquisition,
        shape_px=_shape(micrograph.image),
        pixel_sha256=micrograph.pixel_sha256,
        suspect=micrograph.suspect,
        natural_key=natural_key(
            micrograph.pixel_sha256, source.signal_index, source.frame_index, size_nm, name, forced
        ),
        fingerprint=name,
        in_domain=verdict.in_domain,
        domain_reason=verdict.reason,
        segmented=masks is not None,
        forced=forced,
        scale_assumed=masks is not None and size_nm is None,
        size_limit_nm=size_limit_nm(settings.min_diameter_nm, manifest.reliable_diameter_nm),
        background_deviation=found.background_deviation,
        particles=found.particles,
        seconds=clock() - started,
        device=bundle.segmenter.device,
    )
    return analysis, masks


@dataclass(frozen=True, kw_only=True)
class _Found:
    particles: tuple[Particle, ...] = ()
    background_deviation: float | None = None


def _segmented(
    micrograph: Micrograph, bundle: Bundle, settings: AnalysisSettings
) -> tuple[_Found, Masks]:
    """Preprocess, U-Net, regions, features, classes, in this order."""
    manifest, size_nm = bundle.manifest, micrograph.calibration.pixel_size_nm
    prepared, found = seen(micrograph, bundle, settings)
    shape_px = _shape(micrograph.image)
    labels = label_particles(
        found.particle,
        shape_px,
        manifest.threshold if settings.threshold is None else settings.threshold,
        size_nm,
        settings.opening_radius_nm,
        settings.closing_radius_nm,
        found.seam,
    )
    regions = measure(labels, resize_probability(found.particle, shape_px))
    background = features.background_statistics(prepared.native, labels, size_nm)
    described = [
        _features(prepared, found.junctions, labels, region, size_nm, background, manifest)
        for region in regions
    ]
    probabilities = _class_probabilities(bundle.forest, manifest, described, size_nm)
    limit_nm = size_limit_nm(settings.min_diameter_nm, manifest.reliable_diameter_nm)
    particles = tuple(
        _particle(region, values, row, size_nm, limit_nm)
        for region, values, row in zip(regions, described, probabilities, strict=True)
    )
    masks = Masks(
        labels=labels,
        probability=np.rint(FULL_PROBABILITY * found.particle).astype(np.uint8),
        probability_pixel_size_nm=prepared.network_pixel_size_nm,
    )
    return _Found(particles=particles, background_deviation=background.deviation), masks


def seen(
    micrograph: Micrograph, bundle: Bundle, settings: AnalysisSettings
) -> tuple[Prepared, Probabilities]:
    """The micrograph as the network sees it, and what the network says of it."""
    size_nm = micrograph.calibration.pixel_size_nm
    prepared = prepare(
        micrograph.image,
        size_nm,
        _network_pixel_size_nm(bundle.manifest, size_nm),
        _recipe(bundle.manifest, settings),
    )
    return prepared, bundle.segmenter.probabilities(prepared.network_input)


def _recipe(manifest: Manifest, settings: AnalysisSettings) -> PreprocessRecipe:
    chosen = settings.preprocess_recipe or manifest.preprocess_recipe
    return "published" if chosen == "published" else "default"


def _network_pixel_size_nm(manifest: Manifest, pixel_size_nm: float | None) -> float | None:
    """The model's pixel size; None, native pixels, where the micrograph's is unknown or far off.

    A forced micrograph of 3 nm/px would become nothing but billions of pixels.
    """
    low, high = manifest.pixel_size_range_nm
    if pixel_size_nm is None or not low / STRETCH <= pixel_size_nm <= high * STRETCH:
        return None
    return manifest.model_pixel_size_nm


def _features(
    prepared: Prepared,
    junctions: Junctions | None,
    labels: Labels,
    region: Region,
    pixel_size_nm: float | None,
    background: features.Background,
    manifest: Manifest,
) -> dict[str, float | None]:
    """The features the bundle names; what needs a pixel size is None without one."""
    if manifest.feature_set == features.PUBLISHED_FEATURES:
        return dict(features.published_features(prepared.native, labels, region))
    return features.region_features(
        prepared.native,
        labels,
        region,
        pixel_size_nm,
        background,
        manifest.feature_names,
        junctions,
    )


def _class_probabilities(
    forest: Forest | None,
    manifest: Manifest,
    described: Sequence[Mapping[str, float | None]],
    pixel_size_nm: float | None,
) -> Sequence[Mapping[str, float] | None]:
    """Five probabilities for each region; None without forest, pixel size or finite features."""
    if forest is None or pixel_size_nm is None or not described:
        return [None] * len(described)
    rows = np.array(
        [[values[name] for name in manifest.feature_names] for values in described], np.float64
    )  # a feature without a value becomes NaN
    finite = np.asarray(np.isfinite(rows).all(axis=1))
    found = forest.probabilities(np.where(finite[:, None], rows, 0.0))
    return [
        dict(zip(CLASS_NAMES, map(float, row), strict=True)) if usable else None
        for row, usable in zip(found, finite, strict=True)
    ]


def _particle(
    region: Region,
    values: Mapping[str, float | None],
    probabilities: Mapping[str, float] | None,
    pixel_size_nm: float | None,
    limit_nm: float,
) -> Particle:
    flag = exclusion(region, pixel_size_nm, limit_nm)
    return Particle(
        region=region,
        features=values,
        class_name=None
        if probabilities is None
        else max(probabilities, key=probabilities.__getitem__),
        class_probabilities=probabilities,
        excluded=None if flag is None else flag.value,
    )


def _shape(image: NDArray[np.generic]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
