import json
from pathlib import Path

import numpy as np
import pytest

from schema.choice import Rules
from schema.classifier import NO_MATRIX, classifier_of
from schema.records import CLASS_NAMES, BundleRecord
from tests.schema.examples import sha256

SHIPPED = Path(__file__).parents[2] / "analysis" / "bundles" / "default" / "manifest.json"
MATRIX = (10 * np.eye(5) + 1).tolist()


def bundle(manifest_json):
    return BundleRecord(
        sha256=sha256("bundle"), name="default", version="1", manifest_json=manifest_json
    )


def stating(counts=MATRIX, classes=CLASS_NAMES, materials=("Au", "CdSe-wz")):
    held_out = {"classes": list(classes), "confusion_rows_are_truth": counts}
    manifest = {
        "training": {"materials": list(materials)},
        "metrics": {"forest_held_out": held_out},
    }
    return bundle(json.dumps(manifest))


def test_the_shipped_model_states_how_often_it_is_right():
    manifest_json = SHIPPED.read_text("utf-8")
    found = classifier_of(bundle(manifest_json), ("Au", "CdSe"))
    stated = json.loads(manifest_json)["metrics"]["forest_held_out"]
    confusion = found.confusion
    assert (found.reason, confusion.source) == (None, "simulation-based")
    # Rows are the truth: each holds the regions of one class, and its diagonal the recall.
    assert confusion.counts.sum(axis=1).tolist() == [
        stated["held_out_regions"][name] for name in CLASS_NAMES
    ]
    recall = [stated["recall"][name][0] for name in CLASS_NAMES]
    assert np.diag(confusion.rates()) == pytest.approx(recall, abs=5e-4)


def test_a_material_the_model_has_not_seen_is_named():
    found = classifier_of(stating(), ("PbS", "Au", "InP", "PbS"))
    assert found.confusion is None
    assert found.reason == "the model was not measured on InP, PbS"


def test_a_polymorph_in_training_stands_for_its_formula():
    assert classifier_of(stating(), ("CdSe",)).confusion is not None
    assert classifier_of(stating(), ("CdS",)).reason == "the model was not measured on CdS"


def test_sessions_that_state_no_material_withhold_nothing():
    assert classifier_of(stating()).confusion is not None


@pytest.mark.parametrize(
    "made_by",
    [
        None,
        bundle("{}"),
        bundle('{"metrics": {"forest_held_out": {}}}'),
        stating(classes=CLASS_NAMES[::-1]),
        stating(classes=CLASS_NAMES[:4], counts=np.eye(4).tolist()),
        stating(counts=np.ones((4, 5)).tolist()),
        stating(counts=np.diag([9, 9, 0, 9, 9]).tolist()),
    ],
    ids=["no model", "nothing", "no matrix", "other order", "four", "no square", "empty row"],
)
def test_a_model_without_a_whole_matrix_corrects_nothing(made_by):
    found = classifier_of(made_by)
    assert (found.confusion, found.reason) == (None, NO_MATRIX)


@pytest.mark.parametrize("metrics", [None, {"forest_held_out": None}, {}])
def test_a_manifest_that_says_nothing_of_its_classifier_has_no_matrix(metrics):
    bundle = BundleRecord(
        sha256="0" * 64, name="a", version="1", manifest_json=json.dumps({"metrics": metrics})
    )
    assert classifier_of(bundle, ["Au"]).reason == NO_MATRIX
    assert classifier_of(None, ["Au"]).reason == NO_MATRIX


def test_rows_of_different_lengths_are_no_matrix():
    held_out = {"classes": list(CLASS_NAMES), "confusion_rows_are_truth": [[1], [1, 2], [], [], []]}
    text = json.dumps({"metrics": {"forest_held_out": held_out}})
    bundle = BundleRecord(sha256="0" * 64, name="a", version="1", manifest_json=text)
    assert classifier_of(bundle).reason == NO_MATRIX


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Rules(min_nm=4.0), "known for all sizes together"),
        (Rules(max_nm=6.0), "known for all sizes together"),
        (Rules(out_of_domain=True), "outside the model's domain count"),
        (Rules(uncalibrated=True), "without a pixel size may lie outside its domain"),
    ],
)
def test_errors_are_not_taken_for_those_of_what_they_were_not_measured_on(rules, reason):
    found = classifier_of(stating(), rules=rules)
    assert found.confusion is None
    assert reason in found.reason
