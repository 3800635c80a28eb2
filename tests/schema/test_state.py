import pytest

from schema import migrate, state
from schema.errors import MasksWithoutDatabase, SchemaTooNew, StateError
from tests.schema.examples import NOW


def test_a_state_folder_is_made_with_its_parents_and_laid_out(tmp_path):
    made = state.prepare(tmp_path / "deep" / "er")
    assert made.format.read_text() == "1\n"
    assert all(folder.is_dir() for folder in (made.masks, made.sessions, made.spool))
    assert made.path.stat().st_mode & 0o027 == 0
    assert made.database.name == "fringewatch.sqlite"


def test_preparing_again_changes_nothing_and_removes_what_was_left_unfinished(tmp_path):
    made = state.prepare(tmp_path / "state")
    day = made.masks / "undated"
    day.mkdir()
    (day / ".unfinished-1-abc.h5").write_bytes(b"half")
    assert state.prepare(tmp_path / "state") == made
    assert list(day.iterdir()) == []


def test_masks_without_a_database_ask_for_rebuild(tmp_path):
    made = state.prepare(tmp_path / "state")
    (made.masks / "undated").mkdir()
    (made.masks / "undated" / "a.h5").write_bytes(b"result")
    for look in (state.prepare, state.existing):
        with pytest.raises(MasksWithoutDatabase, match="rebuild"):
            look(made.path)
    made.database.touch()  # as after a truncation: SQLite would begin a new one in it
    for look in (state.prepare, state.existing):
        with pytest.raises(MasksWithoutDatabase, match="rebuild"):
            look(made.path)
    migrate.upgrade(made.database, NOW)
    assert state.existing(made.path) == made


def test_a_layout_of_a_later_release_is_refused(tmp_path):
    made = state.prepare(tmp_path / "state")
    made.format.write_text("2\n")
    with pytest.raises(SchemaTooNew, match="format 2"):
        state.prepare(made.path)


def test_a_format_that_is_no_number_is_refused(tmp_path):
    made = state.prepare(tmp_path / "state")
    made.format.write_text("one")
    with pytest.raises(StateError, match="no version"):
        state.prepare(made.path)


@pytest.mark.parametrize("below", ["", "state"])
def test_a_file_in_the_way_is_said_to_be_one(tmp_path, below):
    (tmp_path / "file").write_text("here already")
    with pytest.raises(StateError, match="no folder"):
        state.prepare(tmp_path / "file" / below)


def test_reading_a_state_that_never_was_is_an_error_and_makes_nothing(tmp_path):
    with pytest.raises(StateError, match="nothing has been watched"):
        state.existing(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []
