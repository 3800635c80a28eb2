"""The forest learns from the truth, and is judged on fields it never saw."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.forest import CLASS_NAMES
from analysis.training.fit_forest import LabelledRegions, balanced, fit_forest, held_out
from analysis.training.micrographs import rendered
from tests.analysis.training.fields import CENTRE_PX, RADIUS_PX, disc_field

FIELDS = 40
PER_FIELD = 10


@pytest.fixture(scope="module")
def regions():
    """Classes a forest can tell apart: each has its own level of every feature."""
    rng = np.random.default_rng(1)
    classes = rng.integers(0, len(CLASS_NAMES), FIELDS * PER_FIELD)
    return LabelledRegions(
        features=3.0 * classes[:, None] + rng.normal(0, 0.3, (len(classes), 5)),
        classes=classes,
        fields=np.repeat(np.arange(FIELDS), PER_FIELD),
    )


def test_no_field_is_on_both_sides(regions):
    test = held_out(regions)
    assert 0 < test.sum() < len(test)
    assert not set(regions.fields[test]) & set(regions.fields[~test])


def test_no_class_outweighs_the_rarest_by_much(regions):
    rare = regions.where((regions.classes != 0) | (regions.fields < 10))
    counts = balanced(rare, seed=1).counts()
    assert max(counts.values()) <= 2 * min(counts.values())
    assert min(counts.values()) == min(rare.counts().values())


def test_classes_that_differ_are_told_apart(regions):
    _, metrics = fit_forest(regions, seed=1)
    assert metrics["balanced_accuracy"] > 0.98
    assert np.sum(metrics["confusion_rows_are_truth"]) == held_out(regions).sum()
    assert metrics["held_out_regions"] == regions.where(held_out(regions)).counts()


def test_a_rendered_field_keeps_its_truth_in_place_and_name():
    seen = rendered(disc_field("misoriented"), np.random.default_rng(1), "disc")
    pixel_size_nm = seen.micrograph.calibration.pixel_size_nm
    assert [region.class_name for region in seen.regions] == ["misoriented"]
    assert seen.clusters.shape == seen.micrograph.image.shape
    centre_nm = np.argwhere(seen.clusters == 1).mean(axis=0) * pixel_size_nm
    assert centre_nm == pytest.approx(0.04 * np.array(CENTRE_PX), abs=0.06)
    area_nm2 = (seen.clusters == 1).sum() * pixel_size_nm**2
    assert area_nm2 == pytest.approx(np.pi * (0.04 * RADIUS_PX) ** 2, rel=0.02)


def test_particles_that_touch_are_one_agglomeration():
    field = disc_field()
    labels = field.labels.copy()
    labels[:, : CENTRE_PX[1]] *= 2  # the left half is another particle of the same cluster
    other = replace(field.particles[0], label=2)
    both = replace(field, labels=labels, particles=(field.particles[0], other))
    seen = rendered(both, np.random.default_rng(1), "pair")
    assert [region.class_name for region in seen.regions] == ["agglomeration"]
    assert set(np.unique(seen.clusters)) == {0, 1}
