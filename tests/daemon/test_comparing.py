"""`compare` for people and for programs."""

import json

import pytest
from sqlalchemy import Engine

from daemon import comparing
from daemon.config import Config, StateConfig
from daemon.errors import Misused
from daemon.selection import Selection
from schema.choice import Rules
from schema.state import StateFolder
from tests.daemon.results import done, session


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


@pytest.fixture
def two(owner: Engine) -> Engine:
    """Two sessions of one field each."""
    done(owner, b"/data/a.dm4", "1", session(owner, "morning", 1, sample="Au", run="7"))
    done(owner, b"/data/b.dm4", "2", session(owner, "eve\nning", 2, sample="Au", run="8"))
    return owner


def test_people_see_each_and_how_it_differs_from_the_first(two, config, capsys):
    comparing.compare(config, "session", [], Selection(), as_json=False)
    text = capsys.readouterr().out
    assert "morning" in text
    assert text.count("eve\\x0aning") == 2  # in either table
    assert "differences are against morning" in text
    assert "nan" not in text.lower()


def test_programs_get_the_figures_of_each_and_the_differences(two, config, capsys):
    comparing.compare(config, "run", ["8", "7"], Selection(), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["by"] == "run"
    assert [group["key"] for group in found["groups"]] == ["8", "7"]
    assert [group["particles"] for group in found["groups"]] == [2, 2]
    assert found["groups"][0]["against_first"] is None
    assert found["groups"][1]["against_first"]["median_nm"]["value"] == 0.0


@pytest.mark.parametrize(
    ("by", "names", "words"),
    [
        ("colour", [], "session, run or sample"),
        ("session", ["morning", "noon"], "no session 'noon'"),
        ("session", ["morning"], "nothing to compare: 1 session"),
        ("session", ["morning", "morning"], "named twice"),
        ("sample", [], "nothing to compare: 1 sample"),
    ],
)
def test_what_cannot_be_compared_is_said(two, config, by, names, words):
    with pytest.raises(Misused, match=words):
        comparing.compare(config, by, names, Selection(), as_json=False)


def test_of_sessions_of_one_name_the_uuid_tells(two, owner, config, capsys):
    session(owner, "morning", 3)
    with pytest.raises(Misused, match="several sessions are called 'morning'"):
        comparing.compare(config, "session", ["morning", "eve\nning"], Selection(), as_json=False)
    uuids = [f"0b8e1a4e-6f0f-4f6e-9d2c-{number:012d}" for number in (1, 3)]
    comparing.compare(config, "session", uuids, Selection(), as_json=True)
    assert [g["key"] for g in json.loads(capsys.readouterr().out)["groups"]] == uuids


def test_a_figure_and_its_interval_stay_on_one_line_of_eighty(owner, config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for number in (1, 2):
        session_id = session(owner, f"session of day {number}", number)
        for field in range(8):
            pixels = f"{8 * number + field - 8:x}"
            done(owner, f"/data/{pixels}.dm4".encode(), pixels, session_id)
    comparing.compare(config, "session", [], Selection(), as_json=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "[" in line]
    assert len(lines) == 3  # two of figures, one of differences
    assert all(line.count("[") == line.count("]") for line in lines)
    assert all(len(line) <= 80 for line in lines)
    assert "0.00 [−0.50, +0.50] 0 [0, 0]" in lines[-1]  # never −0


def test_of_sessions_of_one_name_people_see_which_is_which(owner, config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for number in (1, 2):
        session_id = session(owner, "morning", number)
        done(owner, f"/data/{number}.dm4".encode(), str(number), session_id)
    comparing.compare(config, "session", [], Selection(), as_json=False)
    text = capsys.readouterr().out
    assert text.count("morning (2026-03-01, 0b8e1a4e)") == 4  # a row of each, the other, the note
    comparing.compare(config, "session", [], Selection(), as_json=True)
    assert [g["name"] for g in json.loads(capsys.readouterr().out)["groups"]] == ["morning"] * 2


def test_only_what_is_selected_is_compared(two, owner, config, capsys):
    done(owner, b"/data/c.dm4", "3", session(owner, "night", 3, sample="CdSe", run="9"))
    of_gold = Selection(sample="Au", rules=Rules(min_nm=5.5))
    comparing.compare(config, "run", [], of_gold, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [group["key"] for group in found["groups"]] == ["7", "8"]
    assert [group["excluded"]["outside_size_range"] for group in found["groups"]] == [1, 1]
    assert found["selection"]["sample"] == "Au"
    with pytest.raises(Misused, match="no run '9' in this selection"):
        comparing.compare(config, "run", ["7", "9"], of_gold, as_json=True)
