"""How many reflections there are, how sharp, what lies between: of lattices that are known."""

import math

import numpy as np
import pytest

from analysis.lattice import LATTICE_FEATURE_NAMES, lattice_features
from tests.analysis.gratings import disc_of, places_nm, seen, wave, white_noise

approx = pytest.approx
SIZE_NM = 0.04
Y, X = places_nm(SIZE_NM, 8.0)
DISC = disc_of(Y, X, 5.0)
FAULT_NORMAL_RAD = math.pi / 6  # its mirror image lies between the reflections
AMPLITUDE = 5.0


def crystal(rotation_rad: float = 0.0, phase_rad=0.0) -> np.ndarray:
    """Three reflections of 4 nm⁻¹ at 60°; a phase moves the first."""
    phases = (phase_rad, 0.0, 0.0)
    return sum(
        AMPLITUDE * wave(Y, X, 4.0, FAULT_NORMAL_RAD + rotation_rad + n * math.pi / 3, phase)
        for n, phase in enumerate(phases)
    )


def described(picture: np.ndarray, seed: int = 1) -> dict[str, float]:
    found = seen(picture + white_noise(X.shape, SIZE_NM, seed), DISC, SIZE_NM)
    values = lattice_features(found)
    assert tuple(values) == LATTICE_FEATURE_NAMES
    return values


def median(picture: np.ndarray, name: str) -> float:
    return float(np.median([described(picture, seed)[name] for seed in range(7)]))


def test_one_crystal_is_indexed_by_two_of_its_reflections():
    values = described(crystal())
    assert (values["reflection_count"], values["reflection_directions"]) == (3, 3)
    assert median(crystal(), "unindexed_fraction") < 0.2


def test_a_second_crystal_has_reflections_that_the_first_does_not_explain():
    for both in (crystal() + crystal(0.35), np.where(X > 0, crystal(), crystal(0.35))):
        values = described(both)
        assert values["reflection_directions"] == 6
        assert median(both, "unindexed_fraction") == approx(0.5, abs=0.1)


def test_the_strongest_three_directions_are_in_order():
    lattice = 8 * wave(Y, X, 4.0, 0.0) + 6 * wave(Y, X, 4.0, 1.0) + 4 * wave(Y, X, 4.0, 2.0)
    values = described(lattice)
    one, two, three = (values[name] for name in LATTICE_FEATURE_NAMES[2:5])
    assert (two / one, three / one) == (approx(36 / 64, rel=0.25), approx(16 / 64, rel=0.25))


def test_noise_reaches_about_ten_rings_without_a_lattice():
    assert median(0 * X, "reflection_count") <= 1
    assert 5 < median(0 * X, "reflection_strength") < 15
    # Beyond three rings: exp(−3) of white noise that has the variance of its band.
    assert median(0 * X, "bragg_fraction") == approx(math.exp(-3), rel=0.3)


@pytest.mark.parametrize("amplitude", [4.0, 8.0])
def test_the_bragg_power_is_the_variance_of_the_lattice(amplitude):
    values = described(amplitude * wave(Y, X, 4.0, 0.5))
    noise = median(0 * X, "bragg_power")
    assert values["bragg_power"] - noise == approx(amplitude**2 / 2, rel=0.25)


def test_a_whole_crystal_has_round_reflections_as_sharp_as_its_outline_allows():
    assert median(crystal(), "reflection_elongation") < 1.3
    assert median(crystal(), "reflection_width") < 0.6
    assert median(crystal(), "reflection_sharpness") == approx(1.1, abs=0.2)


def test_a_fault_stretches_the_reflection_along_its_normal():
    beyond = X * math.cos(FAULT_NORMAL_RAD) + Y * math.sin(FAULT_NORMAL_RAD) > 0.2
    faulted = np.where(beyond, crystal(phase_rad=2 * math.pi / 3), crystal())
    for name, factor in (("reflection_elongation", 1.2), ("reflection_width", 1.2)):
        assert median(faulted, name) > factor * median(crystal(), name)
    assert median(faulted, "reflection_sharpness") < 0.9 * median(crystal(), "reflection_sharpness")


def test_random_layers_leave_a_streak_along_their_normal():
    """Each layer of 0.25 nm moved by 0 or ±1/3: the reflection along the normal becomes a rod."""
    layer = np.floor((X * math.cos(FAULT_NORMAL_RAD) + Y * math.sin(FAULT_NORMAL_RAD)) / 0.25)
    moves = np.random.default_rng(3).choice([0, 1, 2], 100).cumsum() * 2 * math.pi / 3
    streaked = crystal(phase_rad=moves[layer.astype(int) + 50])
    for name in ("streak_contrast", "streak_along_reflection"):
        assert median(streaked, name) > 1.3 * median(crystal(), name)
    assert median(crystal(), "streak_along_reflection") == approx(1.0, abs=0.2)


def test_nothing_at_all_has_the_values_documented():
    found = seen(0 * X, DISC, SIZE_NM)
    nothing = dict.fromkeys(LATTICE_FEATURE_NAMES, 0.0)
    ones = ("reflection_elongation", "streak_contrast", "streak_along_reflection")
    assert lattice_features(found) == nothing | dict.fromkeys(ones, 1.0)
