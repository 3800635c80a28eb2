"""Where the lattice is, and whether the parts of a region are alike."""

import math

import numpy as np
import pytest

from analysis.texture import TEXTURE_FEATURE_NAMES, texture_features
from tests.analysis.gratings import disc_of, places_nm, seen, wave, white_noise

approx = pytest.approx
SIZE_NM = 0.03
Y, X = places_nm(SIZE_NM, 8.0)
DISC = disc_of(Y, X, 5.0)


def lattice(rotation_rad: float = 0.0, amplitude: float = 15.0) -> np.ndarray:
    angles = (rotation_rad, rotation_rad + math.pi / 3)
    return amplitude * sum(wave(Y, X, 4.0, angle) for angle in angles)


def described(picture: np.ndarray, mask: np.ndarray = DISC, seed: int = 1) -> dict[str, float]:
    values = texture_features(
        seen(picture + white_noise(X.shape, SIZE_NM, seed), mask, SIZE_NM), mask
    )
    assert tuple(values) == TEXTURE_FEATURE_NAMES
    return values


@pytest.mark.parametrize("gain", [1e-3, 1.0, 1e3])
def test_an_amorphous_region_has_the_local_power_one_everywhere(gain):
    noise = white_noise(X.shape, SIZE_NM, 1) * gain
    values = texture_features(seen(noise, DISC, SIZE_NM), DISC)
    for name in ("crystallinity_mean", "disorder_mean", "disorder_share"):
        assert values[name] == approx(1, abs=0.1), name
    # Some hundred independent samples in a Gaussian of 0.45 nm: a scatter of a tenth.
    assert 0.7 < values["crystallinity_low"] < 1
    assert 1 < values["disorder_high"] < 1.3
    assert values["halves_likeness_mean"] == approx(0, abs=0.1)


@pytest.mark.parametrize("size_nm", [0.02, 0.05])
def test_a_crystal_adds_its_variance_over_that_of_the_noise(size_nm):
    """A²/2 per wave, over unit noise in the band, whose area is π·(7.5² − 1.2²) nm⁻².

    The ring that all is divided by is raised a little by the reflection itself.
    """
    y, x = places_nm(size_nm, 8.0)
    mask = disc_of(y, x, 5.0)
    picture = 12 * wave(y, x, 4.0, 0.4) + white_noise(x.shape, size_nm, 2)
    values = texture_features(seen(picture, mask, size_nm), mask)
    expected = 1 + 12**2 / 2 / (math.pi * (7.5**2 - 1.2**2))
    assert values["crystallinity_mean"] - 1 == approx(expected - 1, rel=0.4)
    assert values["disorder_mean"] == approx(1, abs=0.15)
    assert values["disorder_share"] == approx(1 / expected, abs=0.15)


def test_where_there_is_no_lattice_the_crystallinity_is_low():
    half = described(np.where(X > 0, lattice(), 0))
    whole = described(lattice())
    assert whole["crystallinity_low"] > 0.8 * whole["crystallinity_mean"]
    assert half["crystallinity_low"] < 0.7 * half["crystallinity_mean"]


def test_a_disordered_spot_is_seen_apart_from_the_lattice():
    spot = np.hypot(Y, X - 1) < 0.7
    rough = 60 * np.random.default_rng(4).normal(size=X.shape) * spot
    whole, spotted = described(lattice()), described(lattice() + rough)
    assert spotted["disorder_contrast"] > 1.5 * whole["disorder_contrast"]
    assert spotted["disorder_high"] > 1.5 * whole["disorder_high"]
    # A disc of 1.4 nm, blurred by 0.45 nm, in one of 5 nm.
    assert spotted["disorder_extent"] == approx(0.15, abs=0.08)


def test_the_halves_of_one_crystal_are_alike_and_of_two_are_not():
    """Only the cut along the boundary tells them apart; the cut across leaves both in each half."""
    one, two = described(lattice()), described(np.where(X > 0, lattice(), lattice(0.5)))
    assert one["halves_likeness_min"] > 0.5
    assert two["halves_likeness_min"] < 0.3
    assert two["halves_likeness_max"] > two["halves_likeness_min"] + 0.3
    assert two["halves_likeness_min"] <= two["halves_likeness_mean"] <= two["halves_likeness_max"]


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(np.hypot(Y, X) < 0.025, id="four pixels"),
        pytest.param((np.abs(Y) < 0.02) & (np.abs(X) < 3), id="a thread"),
        pytest.param(np.indices(X.shape).sum(axis=0) % 9 == 0, id="stripes"),
    ],
)
def test_any_region_has_finite_values(mask):
    assert all(math.isfinite(value) for value in described(lattice(), mask).values())


def test_a_region_without_contrast_has_neither_lattice_nor_disorder():
    values = texture_features(seen(0 * X, DISC, SIZE_NM), DISC)
    alike = dict.fromkeys([name for name in values if "likeness" in name], 1.0)
    assert values == dict.fromkeys(TEXTURE_FEATURE_NAMES, 0.0) | alike
