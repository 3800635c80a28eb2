"""A method finds what it is made to find, and says what it is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from analysis.baselines import Annulus, Otsu
from analysis.bundle import load, write
from analysis.metrics import dice
from analysis.training.evaluation.methods import BundleMethod, FourierMethod, OtsuMethod
from tests.analysis.brightness_network import FILTERS, brightness_weights
from tests.analysis.test_bundle import draft
from tests.analysis.training.evaluation.made import PIXEL_NM, case, squares

LABELS = squares((60, 60, 60))
BAND = Annulus(inner_per_nm=3.0, outer_per_nm=5.0, smoothing_nm=0.3)


def seen(brightness, noise=20.0, material="Au"):
    rng = np.random.default_rng(1)
    image = 1000 + brightness * (LABELS > 0) + noise * rng.normal(size=LABELS.shape)
    return case(LABELS, image=image.astype(np.uint16), material=material)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Particle is what is bright; no forest."""
    folder = tmp_path_factory.mktemp("bundle")
    write(folder, replace(draft(), filters=FILTERS), brightness_weights(4))
    return load(folder, "cpu")


def test_a_plain_threshold_stays_as_it_comes_and_a_smoothed_one_is_cleaned():
    noisy = seen(-40, noise=40)
    plain = OtsuMethod(name="plain", otsu=Otsu(), cleaned=False).find(noisy)
    smoothed = OtsuMethod(name="smoothed", otsu=Otsu(smoothing_nm=0.3)).find(noisy)
    assert plain.labels.max() > 100  # specks
    assert smoothed.labels.max() == 1
    assert dice(LABELS, smoothed.labels) > dice(LABELS, plain.labels)


def test_fourier_filtering_takes_the_annulus_of_a_known_material():
    other = replace(BAND, inner_per_nm=5.0, outer_per_nm=8.0)
    told = FourierMethod(name="told", annulus=BAND, known={"Au": other})
    untold = FourierMethod(name="untold", annulus=other)
    same = FourierMethod(name="same", annulus=BAND)
    gold, silver = seen(300), seen(300, material="Ag")
    assert (told.find(gold).labels == untold.find(gold).labels).all()
    assert (told.find(silver).labels == same.find(silver).labels).all()
    assert len({told.identity, untold.identity, same.identity}) == 3
    assert "5-8 nm⁻¹" in told.about


def test_a_bundle_finds_what_the_pipeline_finds(bundle):
    answer = BundleMethod(group="bright", bundle=bundle).find(seen(200))
    assert dice(LABELS, answer.labels) > 0.9
    assert answer.probability.shape == LABELS.shape
    assert np.median(answer.probability[LABELS > 0]) > 200 > np.median(answer.probability)
    assert answer.probabilities == {}  # no forest, no class


def test_a_bundle_without_a_forest_says_so(bundle):
    assert "no forest" in BundleMethod(group="bright", bundle=bundle).about


def test_another_scale_is_another_method_that_works_at_that_scale(bundle):
    own = BundleMethod(group="bright", bundle=bundle)
    scaled = BundleMethod(group="bright", bundle=bundle, scale_nm=0.1)
    assert (own.name, scaled.name) == ("bright", "bright at 0.1 nm/px")
    assert own.identity != scaled.identity
    assert dice(LABELS, scaled.find(seen(200)).labels) > 0.8
    assert "0.1 nm/px" in scaled.about


def test_what_a_manifest_tells_people_changes_no_answer(bundle):
    told = replace(bundle.manifest, metrics={"dice": 1}, version="9", sha256="0" * 64)
    moved = replace(bundle.manifest, threshold=0.6)
    own, same, other = (
        BundleMethod(group="x", bundle=replace(bundle, manifest=manifest)).identity
        for manifest in (bundle.manifest, told, moved)
    )
    assert own == same != other


def test_out_of_the_pixel_range_is_segmented_and_said(bundle):
    fine = replace(bundle.manifest, pixel_size_range_nm=(0.01, PIXEL_NM / 1.5))
    answer = BundleMethod(group="x", bundle=replace(bundle, manifest=fine)).find(seen(200))
    assert not answer.in_domain
    assert answer.labels.any()


def test_a_disc_of_carbon_is_found_beside_what_is_found_anyway(bundle):
    plain = BundleMethod(group="bright", bundle=bundle)
    own = plain.find(seen(200)).labels
    answer = replace(plain, carbon_disc=True).find(seen(200)).labels
    assert ((answer > 0) >= (own > 0)).all()
    added = (answer > 0) & (own == 0)
    assert np.count_nonzero(added) > np.pi * (1.9 / 2 / PIXEL_NM) ** 2
    reach_px = 0.4 / PIXEL_NM
    near = cv2.distanceTransform((LABELS == 0).astype(np.uint8), cv2.DIST_L2, 5) < reach_px
    assert not (added & near & (own == 0)).any()
    again = replace(plain, carbon_disc=True).find(seen(200)).labels
    assert (answer == again).all()
    assert plain.identity != replace(plain, carbon_disc=True).identity


def test_no_disc_is_laid_where_none_has_room(bundle):
    full = case(np.ones_like(LABELS), image=np.full(LABELS.shape, 1000, np.uint16))
    plain = BundleMethod(group="bright", bundle=bundle)
    answer = replace(plain, carbon_disc=True).find(full)
    assert (answer.labels == plain.find(full).labels).all()
