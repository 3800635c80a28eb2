"""One micrograph through the whole analysis, with a network whose answer is known."""

import hashlib

import numpy as np
import pytest

from analysis.bundle import load, write
from analysis.features import FEATURE_NAMES, PROFILE_FEATURE_NAMES
from analysis.forest import CLASS_NAMES, Forest
from analysis.junctions import JUNCTION_FEATURE_NAMES
from analysis.micrograph import (
    Acquisition,
    Calibration,
    CalibrationSource,
    ImagingMode,
    Micrograph,
    Source,
)
from analysis.outline import OUTLINE_FEATURE_NAMES
from analysis.pipeline import AnalysisSettings, analyse, domain, fingerprint, natural_key
from tests.analysis.brightness_network import brightness_weights
from tests.analysis.test_bundle import draft

NOISE = 20.0
BRIGHT = 200.0  # of the discs: 10 deviations of the noise at native pixels
SETTINGS = AnalysisSettings()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(200, len(FEATURE_NAMES)))
    forest = Forest()
    forest.fit(features, rng.integers(0, len(CLASS_NAMES), 200), 1)
    folder = tmp_path_factory.mktemp("bundle")
    write(folder, draft(), brightness_weights(4), forest, features)
    return load(folder, "cpu")


def micrograph(image, pixel_size_nm, mode=ImagingMode.TEM):
    stated = CalibrationSource.UNKNOWN if pixel_size_nm is None else CalibrationSource.FILE
    return Micrograph(
        image=image,
        source=Source(file_name="discs.tif"),
        calibration=Calibration(pixel_size_nm=pixel_size_nm, source=stated),
        acquisition=Acquisition(imaging_mode=mode),
        pixel_sha256=hashlib.sha256(image.tobytes()).hexdigest(),
    )


def discs(pixel_size_nm, diameters_nm=(6.0, 3.0, 1.2), shape=(700, 900)):
    """Bright discs on noise, in one row."""
    rng = np.random.default_rng(2)
    image = 1000 + NOISE * rng.normal(size=shape)
    y, x = np.indices(shape) * pixel_size_nm
    for index, diameter_nm in enumerate(diameters_nm):
        centre_x = (index + 0.5) * shape[1] * pixel_size_nm / len(diameters_nm)
        centre_y = shape[0] * pixel_size_nm / 2
        image[np.hypot(y - centre_y, x - centre_x) < diameter_nm / 2] += BRIGHT
    return np.clip(image, 0, 65535).astype(np.uint16)


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.025, 0.04])
def test_discs_are_found_at_their_size_and_place(bundle, pixel_size_nm):
    image = discs(pixel_size_nm)
    analysis, masks = analyse(micrograph(image, pixel_size_nm), bundle, SETTINGS)
    counted = [one for one in analysis.particles if one.excluded is None]
    found = sorted(one.region.equivalent_diameter_px * pixel_size_nm for one in counted)
    assert found == pytest.approx([3.0, 6.0], abs=0.16)  # four network pixels
    assert masks.labels.shape == image.shape
    for one in counted:
        assert one.region.centroid_y_px * pixel_size_nm == pytest.approx(
            image.shape[0] * pixel_size_nm / 2, abs=0.04
        )


def test_what_is_too_small_stays_with_its_reason(bundle):
    analysis, _ = analyse(micrograph(discs(0.02), 0.02), bundle, SETTINGS)
    assert [one.excluded for one in analysis.particles].count("below_size_limit") == 1
    assert analysis.size_limit_nm == 1.5


def test_the_limit_asked_for_holds_where_it_is_larger(bundle):
    wide = AnalysisSettings(min_diameter_nm=4.0)
    analysis, _ = analyse(micrograph(discs(0.02), 0.02), bundle, wide)
    assert analysis.size_limit_nm == 4.0
    assert sum(one.excluded is None for one in analysis.particles) == 1


def test_every_particle_has_five_probabilities_and_the_likeliest_class(bundle):
    analysis, _ = analyse(micrograph(discs(0.02), 0.02), bundle, SETTINGS)
    for one in analysis.particles:
        assert tuple(one.class_probabilities) == CLASS_NAMES
        assert sum(one.class_probabilities.values()) == pytest.approx(1)
        assert one.class_probabilities[one.class_name] == max(one.class_probabilities.values())
        assert set(one.features) == set(FEATURE_NAMES)


def test_without_a_pixel_size_native_pixels_are_segmented_and_nothing_is_named(bundle):
    image = discs(0.04)
    analysis, masks = analyse(micrograph(image, None), bundle, SETTINGS)
    assert analysis.scale_assumed
    assert analysis.in_domain
    assert masks.probability.shape == image.shape
    assert masks.probability_pixel_size_nm is None
    assert len(analysis.particles) == 3
    for one in analysis.particles:
        assert one.class_name is None
        assert one.class_probabilities is None
        known = {name for name, value in one.features.items() if value is not None}
        assert known == {
            "intensity_mean", "intensity_std", *OUTLINE_FEATURE_NAMES, *JUNCTION_FEATURE_NAMES
        }  # fmt: skip


def test_a_model_of_the_first_feature_set_is_given_its_five_and_no_more(bundle, tmp_path):
    rows = np.random.default_rng(1).normal(size=(100, len(PROFILE_FEATURE_NAMES)))
    forest = Forest()
    forest.fit(rows, np.arange(100) % len(CLASS_NAMES), 1)
    stated = draft(feature_set="fringewatch-1", feature_names=PROFILE_FEATURE_NAMES)
    write(tmp_path, stated, brightness_weights(4), forest, rows)
    image = micrograph(discs(0.02), 0.02)
    (new, _), (old, _) = (
        analyse(image, model, SETTINGS) for model in (bundle, load(tmp_path, "cpu"))
    )
    for one, other in zip(new.particles, old.particles, strict=True):
        expected = {name: one.features[name] for name in PROFILE_FEATURE_NAMES}
        assert dict(other.features) == pytest.approx(expected, rel=1e-6)  # threads
        assert other.class_probabilities is not None


@pytest.mark.parametrize(
    ("pixel_size_nm", "mode", "said"),
    [
        (0.02, ImagingMode.STEM, "STEM"),
        (3.27, ImagingMode.TEM, "3.27 nm per pixel"),
        (0.0075, ImagingMode.UNKNOWN, "0.0075 nm per pixel"),
    ],
)
def test_out_of_domain_is_a_reason_and_no_segmentation(bundle, pixel_size_nm, mode, said):
    image = discs(0.04)
    analysis, masks = analyse(micrograph(image, pixel_size_nm, mode), bundle, SETTINGS)
    assert masks is None
    assert (analysis.in_domain, analysis.segmented, analysis.forced) == (False, False, False)
    assert analysis.particles == ()
    assert said in analysis.domain_reason


@pytest.mark.parametrize("pixel_size_nm", [0.0075, 3.27])
def test_forced_it_is_segmented_and_marked(bundle, pixel_size_nm):
    image = discs(0.04)
    unforced, _ = analyse(micrograph(image, pixel_size_nm), bundle, SETTINGS)
    forced, masks = analyse(micrograph(image, pixel_size_nm), bundle, SETTINGS, force=True)
    assert (forced.in_domain, forced.segmented, forced.forced) == (False, True, True)
    assert forced.natural_key != unforced.natural_key
    assert masks.probability.size <= image.size


def test_force_changes_nothing_in_domain(bundle):
    image = discs(0.04)
    usual, _ = analyse(micrograph(image, 0.04), bundle, SETTINGS)
    forced, _ = analyse(micrograph(image, 0.04), bundle, SETTINGS, force=True)
    assert not forced.forced
    assert forced.natural_key == usual.natural_key


def test_an_unknown_mode_passes(bundle):
    calibration = Calibration(pixel_size_nm=0.02, source=CalibrationSource.FILE)
    assert domain(bundle.manifest, calibration, Acquisition()).in_domain


def test_bare_carbon_is_an_empty_answer(bundle):
    image = discs(0.04, diameters_nm=())
    analysis, masks = analyse(micrograph(image, 0.04), bundle, SETTINGS)
    assert analysis.particles == ()
    assert analysis.segmented
    assert not masks.labels.any()
    assert 0 < analysis.background_deviation < NOISE  # of the smoothed field


def test_the_same_picture_gives_the_same_result_twice(bundle):
    image = discs(0.02)
    first, one = analyse(micrograph(image, 0.02), bundle, SETTINGS, clock=lambda: 0.0)
    second, other = analyse(micrograph(image, 0.02), bundle, SETTINGS, clock=lambda: 0.0)
    assert [p.region for p in first.particles] == [p.region for p in second.particles]
    for particle, again in zip(first.particles, second.particles, strict=True):
        assert particle.features == pytest.approx(
            again.features, rel=1e-6
        )  # single precision, threads
        assert particle.class_probabilities == pytest.approx(again.class_probabilities, abs=1e-6)
    assert (first.natural_key, first.fingerprint) == (second.natural_key, second.fingerprint)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.probability, other.probability)


def test_every_setting_and_the_model_are_in_the_fingerprint():
    usual = fingerprint("a" * 64, SETTINGS)
    others = [
        fingerprint("b" * 64, SETTINGS),
        fingerprint("a" * 64, AnalysisSettings(threshold=0.4)),
        fingerprint("a" * 64, AnalysisSettings(min_diameter_nm=2)),
        fingerprint("a" * 64, AnalysisSettings(opening_radius_nm=0.1)),
        fingerprint("a" * 64, AnalysisSettings(closing_radius_nm=0.25)),
        fingerprint("a" * 64, AnalysisSettings(preprocess_recipe="published")),
    ]
    assert len({usual, *others}) == 1 + len(others)


def test_each_part_of_the_natural_key_counts():
    keys = {
        natural_key("p", 0, None, 0.02, "f", False),
        natural_key("q", 0, None, 0.02, "f", False),
        natural_key("p", 1, None, 0.02, "f", False),
        natural_key("p", 0, 0, 0.02, "f", False),
        natural_key("p", 0, None, None, "f", False),
        natural_key("p", 0, None, 0.020000001, "f", False),
        natural_key("p", 0, None, 0.02, "g", False),
        natural_key("p", 0, None, 0.02, "f", True),
    }
    assert len(keys) == 8
