"""Every example of docs/querying.md runs as it is printed, on results of the usual kind."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schema import engine, migrate
from schema.named_queries import named_queries
from schema.state import prepare
from tests.daemon.moments import NOW
from tests.daemon.populated import populate

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "querying.md"
SERVED = "/fringewatch/faults_by_run.json?_shape=array"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A person's home, with a state folder in its usual place and a daemon at work on it."""

    home: Path

    def run(self, *command: str) -> str:
        """What a command prints; it must end well."""
        environment = os.environ | {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONWARNINGS": "error",
        }
        environment.pop("XDG_STATE_HOME", None)
        ended = subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{command[-1]}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def ask(self, name: str) -> list[dict[str, object]]:
        """The rows of a named query."""
        found: list[dict[str, object]] = json.loads(
            self.run("fringewatch", "query", name, "--json")
        )
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    state = prepare(home / ".local" / "state" / "fringewatch")
    migrate.upgrade(state.database, NOW)
    owner = engine.writer(state.database)
    populate(owner)
    yield Desk(home=home)
    owner.dispose()


@pytest.fixture(scope="module")
def exported(desk: Desk) -> Desk:
    """The same with the tables that later sections read."""
    shell(desk, "As a table")
    return desk


def section(heading: str) -> str:
    """What stands below a heading of the page."""
    return PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def examples(heading: str, language: str) -> list[str]:
    """The code blocks of a section."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE)
    assert found, f"no {language} under {heading!r}"
    return found


def shell(desk: Desk, heading: str) -> str:
    """What the shell examples of a section print; a server answers one page and ends."""
    lines = "".join(examples(heading, "sh"))
    served = re.sub(r"^(datasette serve \S+)$", rf"\1 --get '{SERVED}'", lines, flags=re.MULTILINE)
    return desk.run("bash", "-euc", served)


def notebook(desk: Desk, heading: str, *after: str) -> str:
    """What the Python examples of a section print, one after the other, and then some more."""
    return desk.run("python", "-c", "\n".join([*examples(heading, "python"), *after]))


def test_every_example_of_the_page_is_run_by_a_test():
    page = PAGE.read_text(encoding="utf-8")
    sections = {
        "On the command line": "sh",
        "As a table": "sh",
        "pandas": "python",
        "DuckDB": "python",
        "Datasette": "sh",
    }
    run = sum(len(examples(heading, language)) for heading, language in sections.items())
    assert run == page.count("```") / 2


def test_the_command_line_asks(desk):
    printed = shell(desk, "On the command line")
    for heading in ("faults_by_run", "faults_by_size", "exclusions"):
        assert named_queries()[heading].title in printed
    assert "/data/run17_" in printed
    assert (desk.home / "to_review.csv").read_text().startswith("class,p_class")


def test_tables_are_exported(exported):
    for name in ("particles.csv", "particles.columns.csv", "micrographs.parquet", "small.csv"):
        assert (exported.home / name).stat().st_size > 0
    lines = (exported.home / "small.csv").read_text().splitlines()
    assert len(lines) > 1
    assert all(",stacking_fault," in line for line in lines[1:])


def test_pandas_counts_what_the_named_queries_count(exported):
    checked = "faults.reset_index().to_json('faults.json', orient='records'); \
        sizes.reset_index().to_json('sizes.json', orient='records')"
    printed = notebook(exported, "pandas", checked)
    assert "nm⁻¹" in printed
    found = {each["run"]: each for each in json.loads((exported.home / "faults.json").read_text())}
    expected = exported.ask("faults_by_run")
    assert len(found) == len(expected)
    for row in expected:
        same = found[row["run"]]
        assert (same["faults"], same["observable"]) == (row["faults"], row["observable"])
    found = {each["run"]: each for each in json.loads((exported.home / "sizes.json").read_text())}
    for row in exported.ask("sizes_by_run"):
        assert found[row["run"]]["count"] == row["particles"]
        assert found[row["run"]]["50%"] == pytest.approx(row["median_nm"], abs=1e-3)


def test_duckdb_counts_what_the_named_queries_count(exported):
    notebook(exported, "DuckDB", "by_run.df().to_json('duckdb.json', orient='records')")
    found = {each["run"]: each for each in json.loads((exported.home / "duckdb.json").read_text())}
    sizes = {row["run"]: row["median_nm"] for row in exported.ask("sizes_by_run")}
    for row in exported.ask("faults_by_run"):
        same = found.pop(row["run"])
        assert (same["faults"], same["observable"]) == (row["faults"], row["observable"])
        assert same["d10_d50_d90_nm"][1] == pytest.approx(sizes[row["run"]], abs=1e-3)
    assert found == {}


def test_datasette_serves_what_the_named_queries_find(desk):
    folder, page = shell(desk, "Datasette").split("\n", 1)
    assert folder == "datasette serve shown"
    assert json.loads(page) == desk.ask("faults_by_run")


def test_every_file_the_page_names_is_there():
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []
