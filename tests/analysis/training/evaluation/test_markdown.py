"""Numbers and notes as they stand in the report."""

import math

from analysis.training.evaluation.intervals import Estimate
from analysis.training.evaluation.markdown import (
    interval,
    notes,
    number,
    percent,
    percent_interval,
    table,
)


def test_what_is_not_known_is_a_dash():
    assert (number(math.nan), percent(None), interval(Estimate(value=math.nan))) == ("–", "–", "–")


def test_a_minus_sign_is_one_and_zero_has_none():
    assert (number(-0.123), number(-0.0001), percent(-0.05)) == ("−0.123", "0.000", "−5.0 %")


def test_an_interval_stands_in_brackets():
    assert interval(Estimate(value=0.5, low=0.4, high=0.6), 2) == "0.50 [0.40, 0.60]"
    assert percent_interval(Estimate(value=0.5, low=0.4, high=0.6)) == "50.0 % [40.0, 60.0]"
    assert interval(Estimate(value=0.5)) == "0.500"


def test_a_bar_in_a_name_does_not_break_a_table():
    assert table(["a", "b"], [["x|y", "1"]]).splitlines()[-1] == "| x\\|y | 1 |"


def test_notes_are_paragraphs_by_key(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("Not taken over.\n\n## summary\n\nOne.\n\nTwo.\n\n## core/field_000003\nWhy.\n")
    assert notes(path) == {"summary": "One.\n\nTwo.", "core/field_000003": "Why."}
    assert notes(tmp_path / "none.md") == notes(None) == {}
