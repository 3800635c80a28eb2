"""How a report writes numbers, times and what a model's manifest says."""

import json
from datetime import UTC, datetime

import pytest

from analysis.bundle import default_folder
from daemon.report.model import model_of
from daemon.report.numbers import between, counted, number, span
from daemon.words import signed
from schema.records import CLASS_NAMES, BundleRecord


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.02, "0.02"),
        (897.968, "898"),
        (380_000.0, "380000"),
        (-150.0, "−150"),
        (0.87581, "0.8758"),
    ],
)
def test_numbers_have_four_digits_and_a_minus_that_is_one(value, words):
    assert number(value) == words


def test_a_range_of_one_number_is_that_number():
    assert between(0.02, 0.02) == "0.02"
    assert between(0.02, 0.021) == "0.02 to 0.021"
    assert between(None, None) == "—"


def test_what_rounds_to_nothing_has_no_sign():
    assert [signed(value) for value in (0.654, -0.336, -0.004, 0.004)] == [
        "+0.65",
        "−0.34",
        "0.00",
        "0.00",
    ]


def test_one_is_singular():
    assert (counted(1, "field"), counted(0, "field"), counted(2, "field")) == (
        "1 field",
        "0 fields",
        "2 fields",
    )


def test_a_span_names_its_day_once_and_a_moment_once():
    morning = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert span((morning, morning.replace(second=20))) == "2026-03-01 09:30 UTC"
    assert span((morning, morning.replace(hour=17))) == "2026-03-01 09:30 to 17:30 UTC"
    later = morning.replace(day=2)
    assert span((morning, later)) == "2026-03-01 09:30 UTC to 2026-03-02 09:30 UTC"
    clock = morning.replace(tzinfo=None)
    assert span((clock, clock.replace(hour=17))) == "2026-03-01 09:30 to 17:30"


def bundle(manifest: object) -> BundleRecord:
    return BundleRecord(sha256="a" * 64, name="m", version="1", manifest_json=json.dumps(manifest))


def test_the_model_that_ships_is_described():
    manifest = json.loads((default_folder() / "manifest.json").read_text(encoding="utf-8"))
    found = model_of(bundle(manifest))
    rows, measured = dict(found.rows), dict(found.measured)
    assert rows["accepts pixels of"] == "0.01 to 0.06 nm"
    assert rows["materials"].startswith("Au, Ag, Pt")
    assert rows["domain: defocus"] == "−150 to 40 nm"
    held_out = manifest["metrics"]["forest_held_out"]
    assert measured["balanced accuracy of the classes"] == f"{held_out['balanced_accuracy']:.4g}"
    low, high = manifest["metrics"]["evaluation"]["core"]["all"]["dice"][1:]
    assert measured["overlap of masks (Dice)"].endswith(f"(95 % {low:.4g} to {high:.4g})")
    assert [row.recall for row in found.confusion] == [
        f"{100 * counts[place] / sum(counts):.1f} %"
        for place, counts in enumerate(held_out["confusion_rows_are_truth"])
    ]


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"metrics": None, "training": [], "domain": "anything", "licence": 5},
        {"metrics": {"forest_held_out": {"balanced_accuracy": "high"}, "evaluation": [1]}},
        {"metrics": {"evaluation": {"core": {"all": {"dice": [0.9], "instance_f1": None}}}}},
        {"metrics": {"forest_held_out": {"classes": list(CLASS_NAMES),
                                         "confusion_rows_are_truth": [[1], [2, 3]]}}},
    ],
)  # fmt: skip
def test_what_a_manifest_lacks_is_left_out(manifest):
    found = model_of(bundle(manifest))
    assert (found.measured, found.confusion) == ((), ())
    assert all(value for _, value in found.rows)
