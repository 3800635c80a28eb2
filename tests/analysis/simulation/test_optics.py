import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from analysis.simulation.camera import Exposure, draw_exposure, drifted, expose
from analysis.simulation.fields import Field
from analysis.simulation.grid import CELL_NM, CELL_PX, FIELD_PX, PIXEL_SIZE_NM
from analysis.simulation.multislice import multislice
from analysis.simulation.optics import (
    Optics,
    draw_optics,
    intensity,
    picture_side_px,
    transfer_function,
    wavelength_nm,
)
from analysis.simulation.rendering import actual_exposure, render, truth_labels

SHARP = Exposure(mtf_at_nyquist=1.0, counting=True, counts_per_electron=1.0, readout_counts=0.0)


def field_of(wave: NDArray[np.complex64]) -> Field:
    return Field(
        exit_wave=wave,
        mass_thickness=np.zeros((CELL_PX, CELL_PX), np.float16),
        labels=np.zeros((FIELD_PX, FIELD_PX), np.uint16),
        overlap=np.zeros((FIELD_PX, FIELD_PX), np.bool_),
        particles=(),
        energy_kev=300.0,
        carbon_thickness_nm=0.0,
        seed=(0, 0),
    )


@pytest.fixture(scope="module")
def vacuum() -> Field:
    return field_of(np.ones((CELL_PX, CELL_PX), np.complex64))


@pytest.fixture(scope="module")
def gold_atom() -> Field:
    """One gold atom in the middle of the picture."""
    middle_a, side_a = 5 * CELL_NM, 10 * CELL_NM
    atom = Atoms(["Au"], positions=[[middle_a, middle_a, 2.5]], cell=[side_a, side_a, 5.0])
    return field_of(multislice(atom, 300.0))


def test_the_wavelength_is_that_of_relativistic_electrons():
    assert wavelength_nm(300) == pytest.approx(0.0019687, rel=1e-4)
    assert wavelength_nm(200) == pytest.approx(0.0025079, rel=1e-4)


def test_vacuum_is_bright_and_flat_under_every_lens(vacuum: Field):
    for seed in range(5):
        picture = intensity(vacuum, draw_optics(np.random.default_rng(seed)))
        assert picture == pytest.approx(1.0, abs=1e-4)


def test_at_scherzer_underfocus_an_atom_is_dark_and_overfocused_it_is_bright(gold_atom: Field):
    scherzer_nm = -1.2 * np.sqrt(1.2e6 * wavelength_nm(300))
    middle = FIELD_PX // 2
    lens = {"spherical_aberration_mm": 1.2, "focal_spread_nm": 3.0}
    under = intensity(gold_atom, Optics(defocus_nm=scherzer_nm, **lens))
    over = intensity(gold_atom, Optics(defocus_nm=-scherzer_nm / 3, **lens))
    assert under[middle, middle] < 0.9
    assert over[middle, middle] > 1.0


def test_focal_spread_takes_away_the_finest_detail():
    sharp, dull = (
        np.abs(transfer_function(Optics(focal_spread_nm=spread_nm), 300.0))
        for spread_nm in (1.0, 8.0)
    )
    assert sharp[0, round(8 * CELL_NM)] > 0.9
    # Temporal damping exp(-(π λ Δ q²/2)²), Δ the focal spread.
    for q_per_nm in (3, 5):
        expected = np.exp(-((0.5 * np.pi * wavelength_nm(300) * 8.0 * q_per_nm**2) ** 2))
        assert dull[0, round(q_per_nm * CELL_NM)] == pytest.approx(expected, rel=0.05)


def test_finer_pixels_show_the_same_picture_between_the_same_points(gold_atom: Field):
    optics = Optics(defocus_nm=-30)
    coarse, fine = (intensity(gold_atom, optics, p) for p in (0.04, 0.02))
    assert fine.shape == (1024, 1024)
    assert fine[::2, ::2] == pytest.approx(coarse, abs=1e-4)


def test_coarser_pixels_keep_the_brightness(gold_atom: Field):
    optics = Optics(defocus_nm=-30)
    coarse = intensity(gold_atom, optics, 0.06)
    assert coarse.shape == (341, 341)
    assert coarse.mean() == pytest.approx(intensity(gold_atom, optics).mean(), rel=1e-3)


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.0237, 0.031, 0.04, 0.047, 0.06])
def test_a_picture_is_as_wide_as_the_field_whatever_its_pixels(vacuum, pixel_size_nm):
    picture = intensity(vacuum, Optics(), pixel_size_nm)
    exposure = actual_exposure(Exposure(pixel_size_nm=pixel_size_nm))
    side_nm = len(picture) * exposure.pixel_size_nm
    assert len(picture) == picture_side_px(pixel_size_nm)
    assert side_nm == pytest.approx(FIELD_PX * PIXEL_SIZE_NM, abs=exposure.pixel_size_nm)
    assert exposure.pixel_size_nm == pytest.approx(pixel_size_nm, rel=2e-3)


def test_the_mean_count_is_dose_times_area_times_gain(vacuum: Field):
    exposure = Exposure(dose_e_per_a2=500, counts_per_electron=7.0)
    counts = expose(intensity(vacuum, Optics()), exposure, np.random.default_rng(1))
    assert counts.dtype == np.uint16
    assert counts.mean() == pytest.approx(500 * 0.4**2 * 7.0, rel=0.002)


def test_a_perfect_counting_camera_shows_shot_noise_alone():
    flat = np.ones((256, 256), np.float32)
    counts = expose(flat, SHARP, np.random.default_rng(2)).astype(float)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.03)


def test_a_scintillator_correlates_the_noise_of_neighbours_and_a_counting_camera_does_not():
    flat = np.ones((256, 256), np.float32)
    kept = []
    for counting in (True, False):
        exposure = Exposure(counting=counting, mtf_at_nyquist=0.2, counts_per_electron=10)
        counts = expose(flat, exposure, np.random.default_rng(3)).astype(float)
        kept.append(np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1])
    assert kept[0] == pytest.approx(0, abs=0.02)
    assert kept[1] > 0.15


def test_spikes_are_rare_single_bright_pixels():
    flat = np.ones((512, 512), np.float32)
    counts = expose(flat, Exposure(spikes=5.0), np.random.default_rng(4))
    spiked = np.argwhere(counts > 2 * np.median(counts))
    assert 1 <= len(spiked) <= 15


def test_an_uneven_illumination_slopes_by_what_was_asked():
    flat = np.ones((512, 512), np.float32)
    exposure = Exposure(dose_e_per_a2=3000, gradient=0.2, gradient_angle_rad=0.0)
    counts = expose(flat, exposure, np.random.default_rng(5)).astype(float)
    left, right = counts[:, :20].mean(), counts[:, -20:].mean()
    assert (right - left) / counts.mean() == pytest.approx(0.2, abs=0.015)


def test_the_same_generator_state_gives_the_same_picture(gold_atom: Field):
    first, second = (
        render(gold_atom, Optics(), Exposure(), np.random.default_rng(6)) for _ in range(2)
    )
    assert (first == second).all()


def test_a_good_day_is_a_day_within_its_range():
    rng = np.random.default_rng(7)
    for _ in range(50):
        assert -60 <= draw_optics(rng, "good_day").defocus_nm <= -20
        assert 500 <= draw_exposure(rng, "good_day").dose_e_per_a2 <= 3000
        assert 20 <= draw_exposure(rng).dose_e_per_a2 <= 5000
        assert 0.01 <= draw_exposure(rng).pixel_size_nm <= 0.1
        assert draw_exposure(rng, "broad", 0.04).pixel_size_nm == 0.04


def test_labels_follow_the_picture_to_other_pixels(vacuum: Field):
    vacuum.labels[100:200, 300:400] = 3
    labels = truth_labels(vacuum, (1024, 1024))
    assert labels.dtype == np.uint16
    assert (labels > 0).sum() == 200 * 200
    assert labels[300, 700] == 3


def test_coma_makes_left_and_right_of_an_atom_differ(gold_atom: Field):
    middle = FIELD_PX // 2
    differences = []
    for coma_nm in (0.0, 1000.0):
        row = intensity(gold_atom, Optics(coma_nm=coma_nm))[middle]
        differences.append(np.abs(row[middle + 1 :][:100] - row[:middle][::-1][:100]).max())
    assert differences[0] < 1e-3
    assert differences[1] > 0.02


def test_drift_smears_along_its_direction_alone(gold_atom: Field):
    picture = intensity(gold_atom, Optics(defocus_nm=-10))
    moved = drifted(picture, Exposure(drift_nm=0.2, drift_angle_rad=0.0))
    variation = [np.abs(np.diff(p, axis=axis)).sum() for p in (picture, moved) for axis in (0, 1)]
    assert moved.mean() == pytest.approx(picture.mean(), rel=1e-5)
    assert variation[3] < 0.8 * variation[1]
    assert variation[3] / variation[1] < variation[2] / variation[0]


def test_stripes_of_gain_run_along_one_axis():
    exposure = Exposure(dose_e_per_a2=5000, stripe_gain=0.05)
    counts = expose(np.ones((256, 256), np.float32), exposure, np.random.default_rng(8))
    spread = sorted(np.std(counts.mean(axis=axis)) / counts.mean() for axis in (0, 1))
    assert spread[1] == pytest.approx(0.05, rel=0.2)
    assert spread[0] < 0.01


def test_bad_pixels_are_dead_or_hot():
    exposure = Exposure(bad_pixels=40.0, dose_e_per_a2=3000, mtf_at_nyquist=0.9)
    counts = expose(np.ones((512, 512), np.float32), exposure, np.random.default_rng(9))
    assert 5 <= np.count_nonzero(counts == 0) <= 40
    assert 5 <= np.count_nonzero(counts > 1.8 * np.median(counts)) <= 40


def test_relative_noise_is_that_of_the_camera():
    exposure = Exposure(dose_e_per_a2=400, counting=True, mtf_at_nyquist=1.0, readout_counts=6.0)
    counts = expose(np.ones((400, 400), np.float32), exposure, np.random.default_rng(10))
    relative = counts / (exposure.electrons_per_px * exposure.counts_per_electron)
    assert relative.var() == pytest.approx(sum(exposure.relative_noise()), rel=0.03)
