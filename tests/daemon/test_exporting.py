"""Particles and micrographs as rows of a file, with what the columns mean."""

import csv
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from daemon import exporting, parquet
from daemon.cli import app
from daemon.config import Config, StateConfig
from daemon.errors import DaemonError, Exit, Misused
from daemon.exporting import MICROGRAPHS, PARTICLES, export
from daemon.selection import Selection
from schema import ledger, queries
from schema.choice import SIZE_CLASSES, Rules
from schema.dictionary import VIEWS, columns_of
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.populated import populate
from tests.daemon.results import STRANGE, done, seen, session

EVERYTHING = Selection()
SHOWN = r"/data/\xff two\x0alines \x1b[31m.dm4"


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


@pytest.fixture
def measured(owner: Engine) -> Engine:
    """Two files of two sessions, one refused under a strange name in the second."""
    done(owner, b"/data/a.dm4", "1", session(owner, "morning", 1, sample="Au", run="7"))
    evening = session(owner, "evening", 2, sample="CdSe")
    done(owner, b"/data/b.dm4", "2", evening)
    refused = seen(owner, STRANGE, evening)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)
    return owner


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def exported(
    config: Config, target: Path, selection: Selection = EVERYTHING, **choice: Any
) -> list[dict[str, Any]]:
    export(config, selection, target, **choice)
    return pq.read_table(target).to_pylist() if target.suffix == ".parquet" else rows_of(target)


def test_an_export_has_the_columns_of_the_view_and_a_row_for_each_particle(
    measured, config, tmp_path
):
    rows = exported(config, tmp_path / "particles.csv")
    with measured.begin() as connection:
        assert tuple(rows[0]) == queries.view_columns(connection, "current_particle")
    diameters = sorted(float(row["equivalent_diameter_nm"]) for row in rows)
    assert diameters == [0.5, 0.5, 5.0, 5.0, 6.0, 6.0]
    assert {row["session"] for row in rows} == {"morning", "evening"}


@pytest.mark.parametrize("view", VIEWS)
def test_beside_a_csv_file_lies_what_its_columns_mean(measured, config, tmp_path, view):
    rows = exported(config, tmp_path / "some.csv", view=view)
    dictionary = rows_of(tmp_path / "some.columns.csv")
    assert [entry["column"] for entry in dictionary] == list(rows[0])
    for entry in dictionary:
        meant = columns_of(view)[entry["column"]]
        assert (entry["unit"], entry["definition"]) == (meant.unit, meant.definition)
        assert entry["source"] == meant.source


@pytest.mark.parametrize("view", VIEWS)
def test_parquet_holds_the_same_values_with_their_types(measured, config, tmp_path, view):
    plain = exported(config, tmp_path / "some.csv", view=view)
    typed = exported(config, tmp_path / "some.parquet", view=view)
    assert [list(row) for row in typed] == [list(row) for row in plain]
    for row, texts in zip(typed, plain, strict=True):
        for name, value in row.items():
            assert same(value, texts[name]), (name, value, texts[name])


def same(value: Any, text: str) -> bool:
    """Whether a value of Parquet is the one that stands in the CSV."""
    if value is None:
        return text == ""
    if isinstance(value, bool):
        return str(int(value)) == text
    if isinstance(value, datetime):
        return value == datetime.fromisoformat(text)
    return math.isclose(value, float(text)) if isinstance(value, float) else str(value) == text


@pytest.mark.parametrize("view", VIEWS)
def test_each_column_of_parquet_says_what_it_means(measured, config, tmp_path, view):
    exported(config, tmp_path / "some.parquet", view=view)
    schema = pq.read_schema(tmp_path / "some.parquet")
    for field in schema:
        entry = columns_of(view)[field.name]
        assert field.metadata[b"unit"].decode() == entry.unit
        assert field.metadata[b"definition"].decode() == entry.definition
        assert field.metadata[b"source"].decode() == entry.source
    assert schema.metadata[b"view"].decode() == view


def test_times_and_flags_of_parquet_are_times_and_flags(measured, config, tmp_path):
    rows = exported(config, tmp_path / "some.parquet", view=MICROGRAPHS)
    schema = pq.read_schema(tmp_path / "some.parquet")
    assert schema.field("analysed_at_utc").type == pa.timestamp("us", tz="UTC")
    assert schema.field("acquired_local").type == pa.timestamp("us")
    assert rows[0]["analysed_at_utc"] == NOW
    assert rows[0]["acquired_local"] == datetime(2026, 3, 1, 10, 30)  # noqa: DTZ001
    assert rows[0]["in_domain"] is True


def test_rows_are_written_a_group_at_a_time(measured, config, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_TOGETHER", 4)
    rows = exported(config, tmp_path / "some.parquet")
    groups = pq.ParquetFile(tmp_path / "some.parquet")
    sizes = [groups.metadata.row_group(n).num_rows for n in range(groups.num_row_groups)]
    assert sizes == [4, 2]
    assert [row["particle_id"] for row in rows] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_state_without_a_particle_gives_the_columns_alone(owner, config, tmp_path, suffix):
    target = tmp_path / f"none{suffix}"
    assert exported(config, target) == []
    names = pq.read_schema(target).names if suffix == ".parquet" else target.read_text().split(",")
    assert "equivalent_diameter_nm" in names


@pytest.mark.parametrize(
    ("selection", "labels"),
    [
        (Selection(session="morning"), ["1", "2", "3"]),
        (Selection(run="7"), ["1", "2", "3"]),
        (Selection(sample="CdSe", session="morning"), []),
        (Selection(since=NOW + timedelta(days=1)), []),
        (Selection(since=NOW), ["1", "2", "3", "1", "2", "3"]),
        (Selection(session="morning", rules=Rules(min_nm=5.5)), ["2"]),
        (Selection(session="morning", rules=Rules(max_nm=6.0)), ["1", "3"]),
        (Selection(session="morning", rules=Rules(min_nm=5.0, max_nm=6.0)), ["1"]),
    ],
)
def test_an_export_is_of_what_was_chosen(measured, config, tmp_path, selection, labels):
    assert [row["label"] for row in exported(config, tmp_path / "a.csv", selection)] == labels


def test_classes_that_were_named_leave_the_others_out(measured, config, tmp_path):
    chosen = Selection(classes=("background", "stacking_fault"))
    rows = exported(config, tmp_path / "a.csv", chosen)
    assert {row["class"] for row in rows} == {"background", "stacking_fault"}


def test_without_a_size_no_particle_is_in_a_range_of_sizes(owner, config, tmp_path):
    populate(owner)
    uncalibrated = [row for row in exported(config, tmp_path / "a.csv") if not row["area_nm2"]]
    assert uncalibrated
    chosen = Selection(rules=Rules(min_nm=0.0))
    assert all(row["area_nm2"] for row in exported(config, tmp_path / "b.csv", chosen))


@pytest.mark.parametrize(
    ("selection", "states"),
    [
        (EVERYTHING, ["done", "done", "refused"]),
        (Selection(session="evening"), ["done", "refused"]),
        (Selection(sample="Au"), ["done"]),
        (Selection(since=NOW + timedelta(days=1)), []),
    ],
)
def test_micrographs_are_those_of_the_files_chosen_also_without_a_result(
    measured, config, tmp_path, selection, states
):
    rows = exported(config, tmp_path / "a.csv", selection, view=MICROGRAPHS)
    assert sorted(row["state"] for row in rows) == states


@pytest.mark.parametrize(
    ("rules", "option"),
    [
        (Rules(every_frame=True), "--every-frame"),
        (Rules(border_weights=False), "--no-border-weights"),
        (Rules(out_of_domain=True), "--out-of-domain"),
        (Rules(suspect=True), "--suspect"),
        (Rules(uncalibrated=True), "--uncalibrated"),
    ],
)
def test_a_rule_of_counting_is_refused(measured, config, tmp_path, rules, option):
    with pytest.raises(Misused, match=f"{option} chooses what a statistic counts"):
        export(config, Selection(rules=rules), tmp_path / "a.csv")
    assert list(tmp_path.glob("*.csv")) == []


@pytest.mark.parametrize(
    "chosen", [Selection(rules=Rules(min_nm=1.0)), Selection(classes=("background",))]
)
def test_micrographs_have_neither_size_nor_class(measured, config, tmp_path, chosen):
    with pytest.raises(Misused, match="a micrograph has no diameter and no class"):
        export(config, chosen, tmp_path / "a.csv", MICROGRAPHS)


@pytest.mark.parametrize("name", ["particles.xlsx", "particles", "csv", ".csv"])
def test_a_suffix_of_no_known_format_is_misuse(measured, config, tmp_path, name):
    with pytest.raises(Misused, match=r"ends neither with \.csv nor with \.parquet") as error:
        export(config, EVERYTHING, tmp_path / name)
    assert error.value.exit_code == Exit.MISUSED


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_exported_name_is_one_line_of_text(owner, config, tmp_path, suffix):
    done(owner, STRANGE, "3")
    assert {row["path"] for row in exported(config, tmp_path / f"a{suffix}")} == {SHOWN}


def test_an_export_can_go_to_standard_output(measured, config, capsys):
    export(config, EVERYTHING, exporting.STANDARD_OUTPUT)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("particle_id,micrograph_id,")


def test_an_export_says_what_it_wrote(measured, config, tmp_path, capsys):
    export(config, EVERYTHING, tmp_path / "a.csv")
    assert capsys.readouterr().out == f"6 rows in {tmp_path}/a.csv\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_that_cannot_be_written_is_said_so(measured, config, tmp_path, suffix):
    with pytest.raises(DaemonError, match=r"cannot write .*: No such file or directory"):
        export(config, EVERYTHING, tmp_path / "nowhere" / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_that_fails_leaves_what_was_there(
    measured, config, tmp_path, monkeypatch, suffix
):
    target = tmp_path / f"a{suffix}"
    target.write_text("of yesterday")
    there = sorted(path.name for path in tmp_path.iterdir())

    def interrupted(*_: object) -> Any:
        yield (None,) * len(columns_of(PARTICLES))
        raise KeyboardInterrupt

    monkeypatch.setattr(queries, "export_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(config, EVERYTHING, target)
    assert target.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_parquet_says_what_was_chosen(measured, config, tmp_path):
    since = datetime(2026, 3, 1, tzinfo=UTC)
    about = {"session": "morning", "since": since, "classes": ("background",)}
    export(config, Selection(**about, rules=Rules(min_nm=2.0)), tmp_path / "a.parquet")
    said = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"selection"])
    assert said == {
        "session": "morning",
        "since": "2026-03-01T00:00:00+00:00",
        "min_nm": 2.0,
        "classes": ["background"],
    }


def of_command(state: StateFolder, tmp_path: Path, *words: str) -> list[dict[str, str]]:
    command = ["export", str(tmp_path / "a.csv"), "--state", str(state.path), *words]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == 0, ended.output
    return rows_of(tmp_path / "a.csv")


def test_the_command_leaves_classes_out_only_where_some_are_named(measured, state, tmp_path):
    every = of_command(state, tmp_path)
    assert {row["class"] for row in every} == {"stacking_fault", "no_stacking_fault", "background"}
    words = [word for name in SIZE_CLASSES for word in ("--class", name)]
    assert {row["class"] for row in of_command(state, tmp_path, *words)} == {
        "stacking_fault",
        "no_stacking_fault",
    }


def test_the_command_takes_micrographs_and_the_selection(measured, state, tmp_path):
    rows = of_command(state, tmp_path, "--micrographs", "--session", "evening")
    assert sorted(row["state"] for row in rows) == ["done", "refused"]
    assert [row["label"] for row in of_command(state, tmp_path, "--min-nm", "5.5")] == ["2", "2"]
