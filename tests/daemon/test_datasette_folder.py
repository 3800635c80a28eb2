"""Datasette itself shows what the folder holds: columns in words, facets, and the named queries."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine

from daemon.config import Config, StateConfig
from daemon.datasette_folder import SETTINGS, write_folder
from daemon.errors import DaemonError, Misused
from daemon.querying import serve_with_datasette
from schema import engine, queries
from schema.dictionary import VIEWS, columns_of
from schema.named_queries import named_queries
from schema.question import asked
from schema.state import StateFolder
from tests.daemon.populated import populate
from tests.daemon.results import done

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> Iterator[Engine]:
    """Two sessions of an owner who is at work: the rows are still in the log."""
    database = tmp_path_factory.mktemp("history") / "fringewatch.sqlite"
    database.write_bytes(empty_database)
    owner = engine.writer(database)
    populate(owner)
    write_folder(database.parent / "shown", database)
    yield owner
    owner.dispose()


@pytest.fixture
def folder(history: Engine) -> Path:
    """The folder that shows them."""
    with history.begin() as connection:
        (database,) = connection.exec_driver_sql("SELECT file FROM pragma_database_list").scalars()
    return Path(database).with_name("shown")


@pytest.fixture
def own_folder(owner: Engine, state: StateFolder, tmp_path: Path) -> Path:
    """A folder that shows three particles of a state folder of this test alone."""
    done(owner, b"/data/<b>&.dm4", "1")
    write_folder(tmp_path / "shown", state.database)
    return tmp_path / "shown"


def pages(folder: Path, *addresses: str) -> list[str]:
    """What Datasette answers to these addresses."""
    command = [sys.executable, "-m", "tests.daemon.datasette_pages", str(folder), *addresses]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert [status for status, _ in found] == [200] * len(addresses), found
    return [text for _, text in found]


def test_every_canned_query_finds_what_the_command_finds(folder, history):
    names = list(named_queries())
    found = pages(folder, *(f"/fringewatch/{name}.json?_shape=arrays" for name in names))
    for name, page in zip(names, found, strict=True):
        query = named_queries()[name]
        given = dict.fromkeys(query.parameters, "")
        with (
            history.begin() as connection,
            asked(connection, query.sql, given, seconds=60, clock=lambda: 0.0) as answer,
        ):
            expected = [list(row) for row in answer.rows]
        if name != "failed_files":  # its one name is no UTF-8: Datasette shows another sign for it
            assert json.loads(page)["rows"] == expected, name
        assert len(json.loads(page)["rows"]) == len(expected) > 0, name


def test_a_canned_query_takes_its_parameters(folder):
    address = "/fringewatch/largest_particles.json?" + urlencode({"run": "17", "_shape": "array"})
    (page,) = pages(folder, address)
    assert {row["run"] for row in json.loads(page)} == {"17"}
    (form,) = pages(folder, "/fringewatch/faults_by_size")
    assert re.findall(r'<input type="text" id="qp\d" name="(\w+)"', form) == ["bin_nm", "run"]
    assert "width of a bin in nm" in form


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_is_shown_with_its_unit_and_definition(folder, view):
    (page,) = pages(folder, f"/fringewatch/{view}")
    shown = {html.unescape(words) for words in re.findall(r'column-description="([^"]*)"', page)}
    for name, entry in columns_of(view).items():
        unit = "" if entry.unit == "1" else f"[{entry.unit}] "
        assert f"{unit}{entry.definition} ({entry.source})" in shown, name


def test_particles_are_counted_by_facets(folder, history):
    (page,) = pages(folder, "/fringewatch/current_particle.json?_size=0")
    facets = json.loads(page)["facet_results"]
    found = {name: {each["value"]: each["count"] for each in facets[name]["results"]}
             for name in facets}  # fmt: skip
    assert set(found) == {"session", "sample", "run", "class", "excluded", "touches_border"}
    with history.begin() as connection:
        columns = queries.view_columns(connection, "current_particle")
        runs = [row[columns.index("run")] for row in queries.export_rows(connection)]
    assert found["run"] == {"17": runs.count("17"), "18": runs.count("18")}


@pytest.mark.parametrize("view", VIEWS)
def test_paths_are_text_on_the_page_in_json_and_in_csv(own_folder, view):
    place = f"/fringewatch/{view}"
    addresses = (place, f"{place}.json?_shape=array", f"{place}.csv")
    page, rows, table = pages(own_folder, *addresses)
    assert "/data/&lt;b&gt;&amp;.dm4" in page
    assert {row["path"] for row in json.loads(rows)} == {"/data/<b>&.dm4"}
    assert "/data/<b>&.dm4" in table


def test_datasette_waits_as_long_as_it_is_told(folder):
    (page,) = pages(folder, "/-/settings.json")
    assert SETTINGS.items() <= json.loads(page).items()


def test_rows_that_arrive_later_are_shown(own_folder, owner):
    count = "?" + urlencode({"sql": "SELECT count(*) FROM current_particle"})
    address = f"/fringewatch.json{count}&_shape=arrays"
    (before,) = pages(own_folder, address)
    done(owner, b"/data/later.dm4", "7")
    (after,) = pages(own_folder, address)
    assert json.loads(after)["rows"][0][0] == json.loads(before)["rows"][0][0] + 3


def test_nothing_is_written_through_it(own_folder, state, owner):
    engine.put_to_rest(owner)
    before = state.database.read_bytes()
    pages(own_folder, "/fringewatch", "/fringewatch/current_particle", "/fringewatch/faults_by_run")
    assert state.database.read_bytes() == before


def test_a_folder_is_written_anew(own_folder, tmp_path):
    other = tmp_path / "other" / "fringewatch.sqlite"
    (own_folder / "metadata.json").write_text("of an earlier release")
    write_folder(own_folder, other)
    assert json.loads((own_folder / "metadata.json").read_text())["title"] == "fringewatch"
    assert (own_folder / "fringewatch.sqlite").readlink() == other


def test_a_folder_with_a_database_of_its_own_is_refused(state):
    before = sorted(state.path.iterdir())
    with pytest.raises(Misused, match="holds a database"):
        write_folder(state.path, state.database)
    assert sorted(state.path.iterdir()) == before


def test_a_folder_that_cannot_be_written_is_said_so(state, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DaemonError, match=r"cannot write .*: Not a directory"):
        write_folder(tmp_path / "file" / "shown", state.database)


def test_the_command_says_what_to_call(state, owner, tmp_path, capsys):
    config = Config(state=StateConfig(folder=state.path))
    serve_with_datasette(config, tmp_path / "my folder")
    assert capsys.readouterr().out == f"datasette serve '{tmp_path}/my folder'\n"
    assert (tmp_path / "my folder" / "fringewatch.sqlite").resolve() == state.database.resolve()


def test_nobody_can_show_a_state_that_is_not_there(tmp_path):
    config = Config(state=StateConfig(folder=tmp_path / "nowhere"))
    with pytest.raises(DaemonError, match="no database in"):
        serve_with_datasette(config, tmp_path / "shown")
    assert not (tmp_path / "shown").exists()
