"""Otsu finds what is dark, Fourier filtering what has a lattice, and neither more than that."""

import numpy as np
import pytest

from analysis.baselines import (
    Annulus,
    Example,
    Otsu,
    fit_annulus,
    fit_otsu,
    fourier_mask,
    otsu_mask,
)
from analysis.metrics import dice

PIXEL_NM = 0.04
SPACING_NM = 0.24  # gold, about
FREQUENCY_PER_NM = 1 / SPACING_NM
BAND = Annulus(inner_per_nm=3.5, outer_per_nm=5.0, smoothing_nm=0.3)


def disc(shape=(400, 420), radius_px=80):
    y, x = np.indices(shape)
    return np.hypot(y - 180, x - 230) < radius_px


def picture(darkness=0.0, fringes=0.0, noise=20.0, seed=1, spacing_nm=SPACING_NM):
    """A disc darker by so many counts and crossed by fringes, on noise."""
    rng = np.random.default_rng(seed)
    inside = disc()
    y_nm, x_nm = np.indices(inside.shape) * PIXEL_NM
    across_nm = 0.6 * y_nm + 0.8 * x_nm
    wave = fringes * np.cos(2 * np.pi * across_nm / spacing_nm)
    return 1000 + inside * (wave - darkness) + noise * rng.normal(size=inside.shape)


def example(**made):
    return Example(image=picture(**made), truth=disc(), pixel_size_nm=PIXEL_NM)


def test_otsu_finds_a_dark_disc():
    assert dice(disc(), otsu_mask(picture(darkness=300), PIXEL_NM, Otsu())) > 0.99


def test_otsu_takes_no_bright_disc_for_a_particle():
    assert dice(disc(), otsu_mask(picture(darkness=-300), PIXEL_NM, Otsu())) < 0.05


def test_otsu_sees_no_lattice_and_fourier_filtering_no_darkness():
    lattice, dark = picture(fringes=60), picture(darkness=300, noise=1.0)
    assert dice(disc(), otsu_mask(lattice, PIXEL_NM, Otsu(smoothing_nm=0.4))) < 0.6
    assert dice(disc(), fourier_mask(lattice, PIXEL_NM, BAND)) > 0.95
    assert dice(disc(), fourier_mask(dark, PIXEL_NM, BAND)) < 0.6


def test_fourier_filtering_needs_the_band_of_the_lattice():
    beside = Annulus(inner_per_nm=1.5, outer_per_nm=3.5, smoothing_nm=0.3)
    assert dice(disc(), fourier_mask(picture(fringes=60), PIXEL_NM, beside)) < 0.6


def test_the_band_is_in_nm_whatever_the_pixel():
    wide = Annulus(inner_per_nm=1.5, outer_per_nm=2.5, smoothing_nm=0.3)
    fine = picture(fringes=60, spacing_nm=0.5)
    for image, truth, size_nm in ((fine, disc(), 0.04), (fine[::2, ::2], disc()[::2, ::2], 0.08)):
        assert dice(truth, fourier_mask(image, size_nm, wide)) > 0.93


def test_both_divide_bare_carbon_in_two():
    """What the paper's tables cannot show: every picture has particles to a threshold."""
    carbon = picture()
    for mask in (otsu_mask(carbon, PIXEL_NM, Otsu()), fourier_mask(carbon, PIXEL_NM, BAND)):
        assert 0.3 < mask.mean() < 0.7


def test_an_even_picture_holds_nothing():
    even = np.full((50, 60), 7, np.uint16)
    assert not otsu_mask(even, PIXEL_NM, Otsu()).any()
    assert not fourier_mask(even, PIXEL_NM, BAND).any()


def test_tuning_finds_the_band_of_the_lattice_and_smooths_noise():
    annulus = fit_annulus([example(fringes=60, seed=seed) for seed in (1, 2)])
    assert annulus.inner_per_nm < FREQUENCY_PER_NM < annulus.outer_per_nm
    assert dice(disc(), fourier_mask(picture(fringes=60, seed=3), PIXEL_NM, annulus)) > 0.95
    assert fit_otsu([example(darkness=50, noise=100)]).smoothing_nm > 0
    assert fit_otsu([example(darkness=300, noise=1)]).smoothing_nm == 0


@pytest.mark.parametrize("fit", [fit_annulus, fit_otsu])
def test_tuning_needs_an_example(fit):
    with pytest.raises(ValueError, match="examples"):
        fit([])
