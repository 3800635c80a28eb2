"""What is compared: a bundle, Otsu's threshold, Fourier filtering. Each turns a case into labels.

Masks are opened, closed and labelled alike, so that the comparison is about who finds the pixels;
only the paper's plain threshold stays as it comes, since shot noise leaves nothing of it to open.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.baselines import Annulus, Otsu, fourier_mask, otsu_mask
from analysis.bundle import Bundle
from analysis.forest import CLASS_NAMES
from analysis.pipeline import ANALYSIS_VERSION, AnalysisSettings, analyse
from analysis.regions import closed, opened, resize_probability
from analysis.training.evaluation.carbon import with_carbon_disc
from analysis.training.evaluation.cases import Case

SETTINGS = AnalysisSettings()
ANY_PIXEL_NM = (0.005, 0.2)  # of a scale that was asked for: no micrograph is too far from it
FULL_PROBABILITY = 255
FOR_PEOPLE = (
    "name",
    "version",
    "reliable_diameter_nm",  # a smaller particle is found all the same
    "libraries",
    "training",
    "metrics",
    "licence",
    "domain",
    "sha256",
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a method made of a micrograph.

    `labels`: (H, W) integer, 0 is background. `probability`: (H, W) uint8 = 255·p, or None.
    `probabilities`: of the classes, by label, where the method tells classes. `seconds`: it took.
    """

    labels: NDArray[np.integer]
    seconds: float
    probability: NDArray[np.uint8] | None = None
    probabilities: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    in_domain: bool = True


class Method(Protocol):
    """A way to find particles. Equal identities give equal answers."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def group(self) -> str:
        """Of methods that differ in scale alone; else the name."""

    @property
    def identity(self) -> str:
        """What it is, as a digest."""

    @property
    def about(self) -> str:
        """One sentence for the report."""

    def find(self, case: Case) -> Found:
        """The particles of a case; its truth is not looked at."""


@dataclass(frozen=True, kw_only=True)
class OtsuMethod:
    """A threshold on brightness; `cleaned` by opening and closing, or as it comes."""

    name: str
    otsu: Otsu
    cleaned: bool = True

    @property
    def group(self) -> str:
        """Its own."""
        return self.name

    @property
    def identity(self) -> str:
        """Of the smoothing."""
        return _digest("otsu", asdict(self.otsu), self.cleaned)

    @property
    def about(self) -> str:
        """How far it smooths."""
        sigma_nm = self.otsu.smoothing_nm
        before = f"after a Gaussian of σ = {sigma_nm:g} nm" if sigma_nm else "on the pixels"
        after = "" if self.cleaned else "; neither opened nor closed"
        return f"3x3 median, then Otsu's threshold {before}; darker is particle{after}."

    def find(self, case: Case) -> Found:
        """Dark regions."""
        return _timed(
            case, lambda image, size_nm: otsu_mask(image, size_nm, self.otsu), self.cleaned
        )


@dataclass(frozen=True, kw_only=True)
class FourierMethod:
    """An annulus in Fourier space; `known` holds that of a material where it may be known."""

    name: str
    annulus: Annulus
    known: Mapping[str, Annulus] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """Its own."""
        return self.name

    @property
    def identity(self) -> str:
        """Of all annuli."""
        known = {name: asdict(annulus) for name, annulus in self.known.items()}
        return _digest("fourier", asdict(self.annulus), known)

    @property
    def about(self) -> str:
        """Which annuli."""
        said = f"3x3 median, annulus {_band(self.annulus)}, modulus smoothed, Otsu's threshold"
        own = "; ".join(f"{name} {_band(each)}" for name, each in sorted(self.known.items()))
        return f"{said}. Told the material, it takes another annulus: {own}." if own else f"{said}."

    def find(self, case: Case) -> Found:
        """Regions of strong lattice."""
        annulus = self.known.get(case.material, self.annulus)
        return _timed(case, lambda image, size_nm: fourier_mask(image, size_nm, annulus), True)


@dataclass(frozen=True, kw_only=True)
class BundleMethod:
    """A bundle through the pipeline, as a user gets it; out of its domain too, and counted so.

    `group`: what it is called. `scale_nm`: resample to this pixel size in place of the bundle's.
    `carbon_disc`: add a region that is no particle, for the classes.
    """

    group: str
    bundle: Bundle
    scale_nm: float | None = None
    carbon_disc: bool = False

    @property
    def name(self) -> str:
        """The group, and the scale where it is not the bundle's own."""
        return self.group if self.scale_nm is None else f"{self.group} at {self.scale_nm:g} nm/px"

    @property
    def identity(self) -> str:
        """Of all that decides an answer; what a manifest tells people is none of it."""
        decides = asdict(self.bundle.manifest)
        for name in FOR_PEOPLE:
            decides.pop(name)
        return _digest(ANALYSIS_VERSION, asdict(SETTINGS), decides, self.scale_nm, self.carbon_disc)

    @property
    def about(self) -> str:
        """Which model, and what it lacks."""
        manifest = self.bundle.manifest
        size_nm = self.scale_nm or manifest.model_pixel_size_nm
        said = (
            f"bundle `{manifest.name}` version {manifest.version}, SHA-256 of its manifest "
            f"`{manifest.sha256[:12]}`, architecture {manifest.architecture} with "
            f"{manifest.filters} first filters, at {size_nm:g} nm/px, threshold "
            f"{manifest.threshold:g}"
        )
        return f"{said}." if self.bundle.forest else f"{said}; it has no forest and gives no class."

    def find(self, case: Case) -> Found:
        """What `fringewatch analyse --force` finds."""
        bundle = self._scaled()
        if self.carbon_disc:
            bundle = with_carbon_disc(bundle, case)
        analysis, masks = analyse(case.micrograph, bundle, SETTINGS, force=True)
        if masks is None:
            raise ValueError("a forced analysis gave no masks")
        probability = masks.probability.astype(np.float32) / np.float32(FULL_PROBABILITY)
        native = resize_probability(probability, (masks.labels.shape[0], masks.labels.shape[1]))
        return Found(
            labels=masks.labels,
            seconds=analysis.seconds,
            probability=np.rint(FULL_PROBABILITY * native).astype(np.uint8),
            probabilities={
                each.region.label: tuple(
                    round(each.class_probabilities[name], 4) for name in CLASS_NAMES
                )
                for each in analysis.particles
                if each.class_probabilities is not None
            },
            in_domain=analysis.in_domain,
        )

    def _scaled(self) -> Bundle:
        if self.scale_nm is None:
            return self.bundle
        manifest = replace(
            self.bundle.manifest,
            model_pixel_size_nm=self.scale_nm,
            pixel_size_range_nm=ANY_PIXEL_NM,
        )
        return replace(self.bundle, manifest=manifest)


def _timed(
    case: Case,
    mask_of: Callable[[NDArray[np.generic], float], NDArray[np.bool_]],
    cleaned: bool,
) -> Found:
    started = time.perf_counter()
    mask = mask_of(case.micrograph.image, case.pixel_size_nm).astype(np.uint8)
    if cleaned:
        mask = opened(mask, SETTINGS.opening_radius_nm / case.pixel_size_nm)
        mask = closed(mask, SETTINGS.closing_radius_nm / case.pixel_size_nm)
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    return Found(labels=np.asarray(labels), seconds=time.perf_counter() - started)


def _band(annulus: Annulus) -> str:
    return (
        f"{annulus.inner_per_nm:g}-{annulus.outer_per_nm:g} nm⁻¹ "
        f"(smoothed by {annulus.smoothing_nm:g} nm)"
    )


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
