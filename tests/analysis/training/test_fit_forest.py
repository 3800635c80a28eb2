"""The forest learns from the truth, and is judged on fields it never saw."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.bundle import load, write
from analysis.features import FEATURE_NAMES, PUBLISHED_FEATURE_NAMES, PUBLISHED_FEATURES
from analysis.forest import CLASS_NAMES
from analysis.pipeline import Particle
from analysis.regions import measure
from analysis.simulation.dataset import save_field
from analysis.training.fit_forest import (
    LabelledRegions,
    _class,
    balanced,
    fit_forest,
    held_out,
    labelled_regions,
)
from analysis.training.micrographs import rendered
from tests.analysis.brightness_network import brightness_weights
from tests.analysis.test_bundle import draft
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
        published=0.3 * classes[:, None] + rng.normal(0, 1.0, (len(classes), 5)),
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


def test_every_figure_comes_with_what_it_can_be_trusted_for(regions):
    forest, metrics = fit_forest(regions, seed=1)
    counts = regions.where(held_out(regions)).counts()
    for name, (share, low, high) in metrics["recall"].items():
        assert 0 <= low <= share <= high <= 1
        # Wilson's interval of n right out of n begins at n / (n + 1.96²).
        if share == 1:
            assert low == pytest.approx(counts[name] / (counts[name] + 1.96**2), abs=0.001)
    assert 0 <= metrics["expected_calibration_error"] < 0.1
    assert metrics["sharpness"] == pytest.approx(forest.sharpness, abs=1e-4)


def test_the_papers_features_are_judged_on_the_very_same_regions(regions):
    """Those of this set are nearly lost in noise; where both are the same, so is the accuracy."""
    _, metrics = fit_forest(regions, seed=1)
    behind = metrics["published_features"]["balanced_accuracy"]
    assert 0.2 < behind < 0.7 < metrics["balanced_accuracy"]
    _, equal = fit_forest(replace(regions, published=regions.features), seed=1)
    assert equal["published_features"]["balanced_accuracy"] == equal["balanced_accuracy"]


def test_a_class_that_is_not_held_out_has_no_recall(regions):
    lacking = regions.where((regions.classes != 2) | ~held_out(regions))
    _, metrics = fit_forest(lacking, seed=1)
    assert metrics["recall"][CLASS_NAMES[2]] == [None, None, None]
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_a_field_gives_the_features_of_the_bundle_and_of_the_paper(tmp_path):
    """The same regions twice: the paper's intensities are those of the box, in counts."""
    save_field(tmp_path / "field.npz", disc_field())
    stated = replace(draft(), reliable_diameter_nm=0.5)
    write(tmp_path / "bundle", stated, brightness_weights(4))
    bundle = load(tmp_path / "bundle", "cpu")
    found = labelled_regions(bundle, [tmp_path / "field.npz"], seed=1, renderings=2)
    assert len(found.classes) >= 2
    assert found.features.shape == (len(found.classes), len(FEATURE_NAMES))
    assert found.published.shape == (len(found.classes), 5)
    assert np.isfinite(found.features).all()
    assert np.isfinite(found.published).all()
    assert set(found.fields) == {0}
    paper = replace(
        bundle.manifest, feature_set=PUBLISHED_FEATURES, feature_names=PUBLISHED_FEATURE_NAMES
    )
    again = labelled_regions(
        replace(bundle, manifest=paper), [tmp_path / "field.npz"], seed=1, renderings=2
    )
    assert np.array_equal(again.features, found.published)
    assert np.array_equal(again.classes, found.classes)


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
