import numpy as np
import pytest

from analysis.spectrum import bin_centres_per_nm, radial_power
from tests.analysis.lattices import GOLD_PER_NM, crystal

approx = pytest.approx


def window(shape: tuple[int, int], radius_px: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    r = np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2)
    return np.where(r < radius_px, np.cos(np.pi / 2 * r / radius_px) ** 2, 0).astype(np.float32)


@pytest.mark.parametrize("size_nm", [0.01, 0.02, 0.06, 0.0625])
def test_the_bins_cover_half_to_eight_per_nm(size_nm):
    centres = bin_centres_per_nm(size_nm)
    assert centres.size == 150
    assert centres[[0, -1]] == approx([0.525, 7.975])


def test_bins_end_below_nyquist():
    assert bin_centres_per_nm(0.1)[-1] == approx(5 - 0.025)
    assert bin_centres_per_nm(1.0).size == 0


def test_fringes_peak_in_their_own_bin():
    for q in (1.0, *GOLD_PER_NM, 7.0):
        y, x = np.mgrid[:400, :400] * 0.03
        picture = np.cos(2 * np.pi * q * (0.6 * x + 0.8 * y)).astype(np.float32)
        power = radial_power(picture, window(picture.shape, 190), 0.03)
        assert bin_centres_per_nm(0.03)[power.argmax()] == approx(q, abs=0.05)


@pytest.mark.parametrize("q", [0.55, 7.9])
def test_fringes_along_a_side_are_seen_at_both_ends_of_the_band(q):
    x = np.mgrid[:400, :400][1] * 0.03
    power = radial_power(np.cos(2 * np.pi * q * x).astype(np.float32), window(x.shape, 190), 0.03)
    assert bin_centres_per_nm(0.03)[power.argmax()] == approx(q, abs=0.05)
    # A little of the reflection lies beyond the band.
    assert (power * 2 * np.pi * bin_centres_per_nm(0.03) * 0.05).sum() == approx(0.5, rel=0.25)


@pytest.mark.parametrize("q", GOLD_PER_NM)
def test_a_reflection_does_not_jump_between_bins_with_the_padding(q):
    y, x = np.mgrid[:267, :267] * 0.03
    weight = window(x.shape, 133)
    picture = np.cos(2 * np.pi * q * (0.8 * x + 0.6 * y)).astype(np.float32)
    deviations = []
    for wider in (0, 25, 50, 75, 100):
        rim = ((wider, wider), (wider, wider))
        padded = radial_power(np.pad(picture, rim, "edge"), np.pad(weight, rim), 0.03)
        deviations.append(padded.std())
    assert max(deviations) == approx(min(deviations), rel=0.01)


def test_power_adds_up_to_the_variance():
    """∫P d²q = Σ P·2πq·Δq is the weighted variance of a picture whose power lies in the band."""
    y, x = np.mgrid[:400, :400] * 0.03
    picture = (3 * np.cos(2 * np.pi * 4 * x) + np.cos(2 * np.pi * 2 * y)).astype(np.float32)
    power = radial_power(picture, window(picture.shape, 190), 0.03)
    variance = (power * 2 * np.pi * bin_centres_per_nm(0.03) * 0.05).sum()
    assert variance == approx((9 + 1) / 2, rel=0.02)


@pytest.mark.parametrize("wider", [1, 40, 130, 333])
def test_an_empty_rim_round_the_crop_changes_nothing(wider):
    image, _ = crystal(0.03, 5.0, 7.0)
    image = image / 100
    weight = window(image.shape, 110)
    rim = ((wider, 2 * wider), (wider, wider))
    power = radial_power(image, weight, 0.03)
    padded = radial_power(np.pad(image, rim, "edge"), np.pad(weight, rim), 0.03)
    assert padded.mean() == approx(power.mean(), rel=0.02)
    assert padded.std() == approx(power.std(), rel=0.03)


def test_a_crop_with_an_odd_or_lean_shape_is_transformed_alike():
    rng = np.random.default_rng(0)
    lean = rng.normal(0, 1, (7, 333)).astype(np.float32)
    weight = np.ones_like(lean)
    assert radial_power(lean, weight, 0.03) == approx(
        radial_power(lean.T, weight.T, 0.03), rel=1e-3
    )
