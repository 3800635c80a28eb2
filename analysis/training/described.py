"""A region as rows of numbers: the features its bundle names, and the paper's five beside them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis import features
from analysis.bundle import Bundle, Manifest
from analysis.junctions import JUNCTION_FEATURE_NAMES, Junctions
from analysis.micrograph import Micrograph
from analysis.pipeline import AnalysisSettings, seen
from analysis.preprocess import despike, median_filtered
from analysis.regions import Labels, Region


def native_pixels(manifest: Manifest, image: NDArray[np.generic]) -> NDArray[np.float32]:
    """What features are taken of, (H, W) float32: cleaned as the bundle's recipe does."""
    published = manifest.preprocess_recipe == "published"
    return median_filtered(image) if published else despike(image)


def junctions_of(bundle: Bundle, micrograph: Micrograph) -> Junctions | None:
    """What the network says of particles that meet; None where no feature of the bundle asks."""
    if set(JUNCTION_FEATURE_NAMES).isdisjoint(bundle.manifest.feature_names):
        return None
    return seen(micrograph, bundle, AnalysisSettings())[1].junctions


def described(
    manifest: Manifest,
    native: NDArray[np.float32],
    labels: Labels,
    region: Region,
    pixel_size_nm: float,
    background: features.Background,
    junctions: Junctions | None = None,
) -> list[float]:
    """The features of one region in the manifest's order; NaN where one has no value."""
    values: Mapping[str, float | None]
    if manifest.feature_set == features.PUBLISHED_FEATURES:
        values = features.published_features(native, labels, region)
    else:
        values = features.region_features(
            native, labels, region, pixel_size_nm, background, manifest.feature_names, junctions
        )
    return in_order(values, manifest.feature_names)


def described_as_published(
    native: NDArray[np.float32], labels: Labels, region: Region
) -> list[float]:
    """The paper's five features of one region, in the order of `PUBLISHED_FEATURE_NAMES`."""
    values = features.published_features(native, labels, region)
    return in_order(values, features.PUBLISHED_FEATURE_NAMES)


def in_order(values: Mapping[str, float | None] | None, names: Sequence[str]) -> list[float]:
    """The values of these names; NaN where there is none."""
    found = [(values or {}).get(name) for name in names]
    return [math.nan if value is None else float(value) for value in found]
