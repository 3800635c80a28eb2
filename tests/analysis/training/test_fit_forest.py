"""The forest learns from the truth, and is judged on fields it never saw."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.forest import CLASS_NAMES
from analysis.pipeline import Particle
from analysis.regions import measure
from analysis.training.fit_forest import (
    LabelledRegions,
    _class,
    balanced,
    fit_forest,
    held_out,
)
from analysis.training.micrographs import rendered
from tests.analysis.training.fields import CENTRE_PX, disc_field

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


def test_a_region_is_named_by_the_instance_it_covers():
    seen = rendered(disc_field(), np.random.default_rng(1), "disc")
    truth = seen.labels > 0
    assert named(truth, seen) == "misoriented"
    assert named(np.roll(truth, 250, axis=0) & ~truth, seen) == "background"
    assert named(truth & (np.indices(truth.shape)[1] % 8 == 0), seen) is None


def test_a_region_over_two_instances_is_an_agglomeration():
    field = disc_field()
    labels = field.labels.copy()
    labels[:, : CENTRE_PX[1]] *= 2  # the left half is another particle that touches
    other = replace(field.particles[0], label=2)
    both = replace(field, labels=labels, particles=(field.particles[0], other))
    seen = rendered(both, np.random.default_rng(1), "pair")
    assert named(seen.labels > 0, seen) == "agglomeration"
    assert named(seen.labels == 1, seen) == "misoriented"


def named(mask, seen):
    """The class that a region of these pixels is given, by name."""
    found = mask.astype(np.uint16)
    (region,) = measure(found, mask.astype(np.float32))
    particle = Particle(
        region=region, features=None, class_name=None, class_probabilities=None, excluded=None
    )
    kind = _class(particle, found, seen)
    return None if kind is None else CLASS_NAMES[kind]
