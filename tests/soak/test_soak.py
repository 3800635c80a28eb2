"""The runner of the long rows: goes on, reports failures, and believes no result of other code."""

from pathlib import Path

from tests.soak.__main__ import soak
from tests.soak.notebook import Notebook, table, tree_state
from tests.soak.row import Result, Row


class Runs:
    """Rows that say how often they were run."""

    def __init__(self) -> None:
        self.numbers: list[str] = []

    def row(self, number: str, *, fails: bool = False) -> Row:
        def run(folder: Path) -> str:
            self.numbers.append(number)
            (folder / "left").touch()
            assert not fails, "two rows | one file"
            return "all well"

        return Row(number=number, marks="N", test="a test", size="1", run=run)


def after(runs: Runs, folder: Path, tree: str) -> list[Result]:
    rows = [runs.row("1"), runs.row("2", fails=True), runs.row("3")]
    return soak(rows, folder, Notebook(folder / "results.jsonl", tree), tree)


def test_a_row_that_fails_says_why_and_stops_no_other(tmp_path: Path):
    results = after(Runs(), tmp_path, "now")
    assert [result.passed for result in results] == [True, False, True]
    assert "two rows" in results[1].line
    assert (tmp_path / "row_2" / "left").exists()
    assert not (tmp_path / "row_1").exists()
    assert r"**failed**: AssertionError: two rows \| one file" in table(results)


def test_a_second_call_runs_only_what_the_first_has_not_finished(tmp_path: Path):
    runs = Runs()
    first = soak([runs.row("1")], tmp_path, Notebook(tmp_path / "results.jsonl", "now"), "now")
    assert after(runs, tmp_path, "now")[0] == first[0]
    assert runs.numbers == ["1", "2", "3"]


def test_a_result_of_other_code_is_not_believed(tmp_path: Path):
    runs = Runs()
    after(runs, tmp_path, "before")
    after(runs, tmp_path, "after")
    assert runs.numbers == ["1", "2", "3"] * 2


def test_the_state_of_the_code_changes_with_any_of_its_files(tmp_path: Path):
    (tmp_path / "daemon").mkdir()
    module = tmp_path / "daemon" / "walk.py"
    module.write_text("1")
    before = tree_state(tmp_path)
    module.write_text("2")
    changed = tree_state(tmp_path)
    (tmp_path / "daemon" / "new.py").touch()
    assert len({before, changed, tree_state(tmp_path)}) == 3
