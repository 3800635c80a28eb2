"""What comes back from mask files: the newest result is current, what is missing has its turn."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from schema import gathering, queries, standing
from schema.rebuild import rebuild
from schema.records import FileState, ResultRecord
from schema.state import StateFolder, prepare
from tests.schema.examples import NOW, leave_masks, origin, particle, result
from tests.schema.memory import database_in_memory


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = database_in_memory()
    with engine.begin() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return prepare(tmp_path / "state")


def leave(state: StateFolder, record: ResultRecord, results: int | None = 1) -> None:
    """The mask file of a result; the last of its micrograph file tells how many there are."""
    leave_masks(state, record, replace(origin(), results=results))


def frame(index: int) -> ResultRecord:
    changes = {"frame_index": index, "frame_count": 4}
    return result(f"frame {index}", (particle(),), image_changes=changes)


def state_of_the_file(connection: Connection) -> FileState:
    found = standing.entry_at(connection, origin().path)
    assert found is not None
    return found.state


def test_a_file_with_all_its_results_is_done(connection, state):
    leave(state, frame(0), None)
    leave(state, frame(1), 2)
    assert rebuild(connection, state).results == 2
    assert state_of_the_file(connection) is FileState.DONE


@pytest.mark.parametrize("there", [{0: None}, {1: 2}, {0: None, 2: 3}, {0: None, 1: None}], ids=str)
def test_a_file_with_some_of_its_results_keeps_them_and_has_its_turn(connection, state, there):
    for index, results in there.items():
        leave(state, frame(index), results)
    assert rebuild(connection, state).results == len(there)
    assert state_of_the_file(connection) is FileState.READY
    assert len(gathering.results(connection)) == len(there)


@pytest.mark.parametrize("sizes_nm", [(0.04, 0.02), (0.02, 0.04)])
def test_of_two_results_of_a_picture_the_newer_is_current(connection, state, sizes_nm):
    """Analysed twice by hand; the names of their files follow from hashes, not from time."""
    for hour, size_nm in enumerate(sizes_nm):
        changes = {"pixel_size_nm": size_nm}
        at = NOW + timedelta(hours=hour)
        leave(state, result("one", image_changes=changes, analysed_at_utc=at))
    rebuild(connection, state)
    (row,) = queries.micrographs(connection)
    assert row.pixel_size_nm == sizes_nm[-1]
