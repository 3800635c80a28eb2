"""`fringewatch query`: what it prints, what it binds, and what it refuses."""

import csv
import io
import json

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from daemon import answers
from daemon.answers import Form
from daemon.cli import app
from daemon.config import Config, StateConfig
from daemon.errors import DaemonError, Exit, Misused
from daemon.querying import Limits, ask, list_queries, parameters
from schema import ledger
from schema.named_queries import named_queries
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import STRANGE, done, seen, session

LIMITS = Limits(seconds=60, rows=200)
SHOWN = r"/data/\xff two\x0alines \x1b[31m.dm4"
LONG = """
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000)
    SELECT count(*) FROM n
"""  # a second or so


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


@pytest.fixture
def measured(owner: Engine) -> Engine:
    """Two files of two runs, one refused under a strange name."""
    done(owner, b"/data/a.dm4", "1", session(owner, "morning", 1, sample="Au", run="7"))
    done(owner, b"/data/b.dm4", "2", session(owner, "evening", 2, sample="Au", run="007"))
    refused = seen(owner, STRANGE)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)
    return owner


def told(
    config: Config,
    capsys: pytest.CaptureFixture[str],
    asked: str,
    *given: str,
    form: Form = Form.TABLE,
    limits: Limits = LIMITS,
) -> str:
    ask(config, asked, given, form, limits)
    return capsys.readouterr().out


def test_a_table_has_the_title_the_rows_and_what_the_query_does_not_say(measured, config, capsys):
    lines = told(config, capsys, "faults_by_run").splitlines()
    assert lines[0] == "Visible faults by synthesis run"
    assert lines[1].split() == [
        *("run", "sample", "micrographs", "faults"),
        *("observable", "percent_uncorrected", "misoriented"),
    ]
    assert lines[2].split() == ["007", "Au", "1", "1", "2", "50", "0"]
    assert lines[3].split() == ["7", "Au", "1", "1", "2", "50", "0"]
    assert "without correction" in lines[4]


def test_csv_and_json_have_the_same_rows(measured, config, capsys):
    text = told(config, capsys, "sizes_by_run", form=Form.CSV)
    rows = list(csv.DictReader(io.StringIO(text)))
    found = json.loads(told(config, capsys, "sizes_by_run", form=Form.JSON))
    assert [row["run"] for row in rows] == ["007", "7"]
    assert [{name: str(value) for name, value in row.items()} for row in found] == rows
    assert found[0]["median_nm"] == 5.5


def test_json_of_no_rows_is_an_empty_array(owner, config, capsys):
    assert json.loads(told(config, capsys, "largest_particles", form=Form.JSON)) == []
    assert "no rows" in told(config, capsys, "largest_particles")


def test_what_is_missing_is_a_dash_null_or_nothing(measured, config, capsys):
    sql = "SELECT NULL AS missing, 1.5 AS number, 9e999 AS endless"
    assert told(config, capsys, sql).splitlines()[1].split() == ["—", "1.5", "—"]
    assert json.loads(told(config, capsys, sql, form=Form.JSON)) == [
        {"missing": None, "number": 1.5, "endless": None}
    ]
    assert told(config, capsys, sql, form=Form.CSV).splitlines()[1] == ",1.5,"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("path", ["path", "CAST(path AS TEXT)"])
def test_a_strange_name_moves_no_cursor(measured, config, capsys, form, path):
    sql = f"SELECT {path} AS path FROM source_file WHERE state = 'refused'"
    text = told(config, capsys, sql, form=form)
    assert "\x1b" not in text
    shown = json.loads(text)[0]["path"] if form is Form.JSON else text.splitlines()[1]
    assert shown == SHOWN


@pytest.mark.parametrize("form", Form)
def test_a_strange_column_moves_no_cursor_either(measured, config, capsys, form):
    assert "\x1b" not in told(config, capsys, 'SELECT 1 AS "\x1b[31m"', form=form)


def test_a_table_shows_so_many_rows_and_says_that_there_are_more(measured, config, capsys):
    numbers = "SELECT value AS x FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')"
    some = told(config, capsys, numbers, limits=Limits(seconds=60, rows=4)).splitlines()
    assert [line.strip() for line in some[:5]] == ["x", "1", "2", "3", "4"]
    assert some[5].startswith("the first 4 rows; there are more")
    exact = told(config, capsys, numbers, limits=Limits(seconds=60, rows=9))
    assert "more" not in exact
    every = told(config, capsys, numbers, form=Form.CSV, limits=Limits(seconds=60, rows=4))
    assert len(every.splitlines()) == 1 + 9


def test_a_row_that_is_too_wide_is_shown_on_lines_of_its_own(measured, config, capsys, monkeypatch):
    monkeypatch.setattr(answers, "WIDEST", 80)
    text = told(config, capsys, "SELECT * FROM current_particle LIMIT 2")
    lines = text.splitlines()
    assert ["path", "/data/a.dm4"] in [line.split() for line in lines]
    assert lines.count("") == 1
    assert "equivalent_diameter_nm" in text


def test_two_columns_of_one_name_are_no_json(measured, config, capsys):
    twice = "SELECT 1 AS x, 2 AS x"
    with pytest.raises(Misused, match="two columns are called 'x'"):
        told(config, capsys, twice, form=Form.JSON)
    assert told(config, capsys, twice, form=Form.CSV).splitlines() == ["x,x", "1,2"]


@pytest.mark.parametrize(
    ("query", "given", "words"),
    [
        ("faults_by_size", "bin_nm=abc", "bin_nm is a number from 0.001 to 1000, not abc"),
        ("faults_by_size", "bin_nm=1e-30", "not 1e-30"),
        ("faults_by_size", "bin_nm=-1", "not -1"),
        ("faults_by_size", "bin_nm=nan", "not nan"),
        ("to_review", "below=0,5", "below is a number from 0 to 1, not 0,5"),
        ("to_review", "below=\x1b[31m", r"not \x1b[31m"),
    ],
)
def test_a_parameter_that_must_be_a_number_is_one(measured, config, capsys, query, given, words):
    with pytest.raises(Misused) as caught:
        told(config, capsys, query, given)
    assert words in str(caught.value)


def test_a_number_may_be_written_as_people_write_it(measured, config, capsys):
    ways = ("bin_nm=2", "bin_nm=2.0", "bin_nm= 2.00", "bin_nm=2e0")
    found = [told(config, capsys, "faults_by_size", each, form=Form.CSV) for each in ways]
    assert found == [found[0]] * len(ways)
    assert found[0] != told(config, capsys, "faults_by_size", form=Form.CSV)
    empty = told(config, capsys, "faults_by_size", "bin_nm=", form=Form.CSV)
    assert empty == told(config, capsys, "faults_by_size", form=Form.CSV)


def test_a_named_query_without_parameters_answers_for_all(measured, config, capsys):
    every = json.loads(told(config, capsys, "largest_particles", form=Form.JSON))
    assert {row["run"] for row in every} == {"7", "007"}


@pytest.mark.parametrize("run", ["7", "007"])
def test_a_parameter_chooses(measured, config, capsys, run):
    given = f"run={run}"
    found = json.loads(told(config, capsys, "largest_particles", given, form=Form.JSON))
    assert {row["run"] for row in found} == {run}
    sql = "SELECT DISTINCT run FROM current_particle WHERE run = :run"
    assert json.loads(told(config, capsys, sql, given, form=Form.JSON)) == [{"run": run}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17", 17), ("-4", -4), ("0.5", 0.5), ("5.0", 5.0), ("", ""), ("007", "007"),
        ("1e3", "1e3"), ("nan", "nan"), ("5.50", "5.50"), ("2026-03-01", "2026-03-01"),
        ("12345678901234567890", "12345678901234567890"), ("a=b", "a=b"), ("１７", "１７"),  # noqa: RUF001
    ],
)  # fmt: skip
def test_what_is_written_like_a_number_is_one(text, value):
    found = parameters([f"x={text}"])
    assert found == {"x": value}
    assert type(found["x"]) is type(value)


def test_a_number_is_compared_as_one_and_found_in_text(measured, config, capsys):
    sql = "SELECT count(*) FROM current_particle HAVING count(*) > :n"
    assert told(config, capsys, sql, "n=5", form=Form.CSV).splitlines()[1:] == ["6"]
    assert told(config, capsys, sql, "n=7", form=Form.CSV).splitlines()[1:] == []


@pytest.mark.parametrize("given", [["run"], ["=7"], ["a b=1"], ["run=1", "run=2"], ["1=2"]])
def test_values_that_are_no_pairs_are_misuse(given):
    with pytest.raises(Misused, match="--set"):
        parameters(given)


@pytest.mark.parametrize(
    ("asked", "given", "message"),
    [
        ("faults_by_rnu", [], "there is no query 'faults_by_rnu'; `fringewatch query` lists them"),
        ("faults_by_run", ["run=7"], "the query has no parameter :run"),
        ("SELECT :run", [], "the query asks for :run, which has no value"),
        ("SELECT wrong FROM session", [], "no such column: wrong"),
        ("DELETE FROM session", [], "a query only reads: DELETE is refused"),
        ("ATTACH 'x' AS x", [], "a query only reads: ATTACH is refused"),
    ],
)
def test_what_cannot_be_asked_is_misuse(measured, config, capsys, asked, given, message):
    with pytest.raises(Misused, match=message) as error:
        told(config, capsys, asked, *given)
    assert error.value.exit_code == Exit.MISUSED
    assert capsys.readouterr().out == ""


def test_a_query_that_takes_too_long_is_ended(measured, config, capsys):
    with pytest.raises(DaemonError, match=r"ended after 0\.05 s; --seconds gives it more") as error:
        told(config, capsys, LONG, limits=Limits(seconds=0.05, rows=1))
    assert error.value.exit_code == Exit.FAILED


def test_the_list_has_every_query_and_its_parameters(capsys):
    list_queries(Form.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == list(named_queries())
    assert any(line.endswith("bin_nm, run") for line in lines)


def test_the_list_as_json_has_the_sql(measured, config, capsys):
    list_queries(Form.JSON)
    found = json.loads(capsys.readouterr().out)
    models = next(each for each in found if each["name"] == "models")
    assert models["sql"] == named_queries()["models"].sql
    assert told(config, capsys, models["sql"], form=Form.CSV) == told(
        config, capsys, "models", form=Form.CSV
    )


def command(state: StateFolder, *words: str) -> tuple[int, str]:
    """Exit code and output of the command, errors in words as `main` would say them."""
    ended = CliRunner().invoke(app, ["query", "--state", str(state.path), *words])
    if isinstance(ended.exception, DaemonError):
        return ended.exception.exit_code, str(ended.exception)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.exit_code, ended.output


def test_the_command_asks_names_and_sql(measured, state):
    assert command(state)[1].startswith("name ")
    assert json.loads(command(state, "class_counts_by_session", "--json")[1])[0]["counted"] == 2
    assert command(state, "SELECT :a + :b AS sum", "--set", "a=1", "--set", "b=2", "--csv") == (
        0,
        "sum\n3\n",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--csv", "--json"),
        ("models", "--datasette", "somewhere"),
        ("nothing_of_this_name",),
        ("--rows", "0", "models"),
        ("--seconds", "0", "models"),
    ],
)
def test_a_command_line_without_sense_is_misuse(measured, state, words):
    assert command(state, *words)[0] == Exit.MISUSED


def test_a_state_nobody_has_used_is_said_so(tmp_path, capsys):
    config = Config(state=StateConfig(folder=tmp_path / "nowhere"))
    with pytest.raises(DaemonError, match="no database in"):
        told(config, capsys, "models")
    assert not (tmp_path / "nowhere").exists()


def test_a_query_leaves_the_state_folder_as_it_was(measured, config, capsys):
    measured.dispose()
    before = config.state.folder.joinpath("fringewatch.sqlite").read_bytes()
    for name in named_queries():
        told(config, capsys, name)
    assert config.state.folder.joinpath("fringewatch.sqlite").read_bytes() == before
