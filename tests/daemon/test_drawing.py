"""The pictures of a selection, on demand."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.config import Config, StateConfig
from daemon.drawing import draw_all, overlays
from daemon.errors import DaemonError, Exit, Misused
from daemon.selection import Selection
from schema import watched
from schema.records import WatchedFolderRecord
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.outlined import analysed, names, single
from tests.daemon.results import session

Draw = Callable[..., int]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "overlays"


@pytest.fixture
def draw(state: StateFolder, target: Path) -> Draw:
    def run(*files: Path, selection: Selection | None = None, as_json: bool = False) -> int:
        config = Config(state=StateConfig(folder=state.path))
        return overlays(config, target, selection or Selection(), files, as_json)

    return run


def test_every_micrograph_has_its_picture_and_only_what_is_missing_is_drawn(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path, capsys
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    assert draw() is Exit.DONE
    assert sorted(os.listdir(target)) == names(found)
    assert f"1 overlay drawn in {target}; 0 were there already" in capsys.readouterr().out
    found += analysed(owner, state, single(folder / "b.tif", 2))
    assert draw() is Exit.DONE
    assert sorted(os.listdir(target)) == names(found)
    output = capsys.readouterr()
    assert "1 overlay drawn" in output.out and "1 were there already" in output.out
    assert "overlays: 2 of 2" in output.err


def test_of_files_named_alone(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path
):
    path = single(folder / "a.tif", 1)
    found = analysed(owner, state, path)
    analysed(owner, state, single(folder / "b.tif", 2))
    assert draw(path) is Exit.DONE
    assert os.listdir(target) == names(found)


def test_of_a_session_alone(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    session(owner, "morning", 1)
    assert draw(selection=Selection(session="morning")) is Exit.DONE
    assert os.listdir(target) == []
    with pytest.raises(Misused, match="no session"):
        draw(selection=Selection(session="evening"))


def test_a_file_that_was_never_seen_is_misuse(draw: Draw, folder: Path):
    with pytest.raises(Misused, match="was never seen"):
        draw(folder / "a.tif")


def test_one_without_a_picture_is_named_and_the_others_are_drawn(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path, capsys
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    analysed(owner, state, single(folder / "gone \x1b[2J.tif", 2))
    (folder / "gone \x1b[2J.tif").unlink()
    assert draw() is Exit.FAILED
    assert os.listdir(target) == names(found)
    assert "no overlay of gone \\x1b[2J.tif: the raw file cannot be read" in capsys.readouterr().err


def test_programs_are_told_the_same(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, capsys
):
    analysed(owner, state, single(folder / "a.tif", 1))
    analysed(owner, state, single(folder / "gone.tif", 2))
    (folder / "gone.tif").unlink()
    assert draw(as_json=True) is Exit.FAILED
    told = json.loads(capsys.readouterr().out)
    assert (told["drawn"], told["there"]) == (1, 0)
    assert [each["micrograph"] for each in told["without"]] == ["gone.tif"]


def test_a_copy_stands_in_for_a_file_that_is_gone(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    analysed(owner, state, single(folder / "copy.tif", 1))
    (folder / "a.tif").unlink()
    assert draw() is Exit.DONE
    assert os.listdir(target) == names(found)


def test_pictures_never_go_where_they_would_be_watched(
    owner: Engine, state: StateFolder, folder: Path, draw: Draw, target: Path
):
    target.mkdir(parents=True)
    (folder / "link").symlink_to(target)
    place = WatchedFolderRecord(
        configured=os.fsencode(folder / "link"),
        path=os.fsencode(target.parent),
        mount_point=b"/",
        mount_source=b"ext4",
    )
    with owner.begin() as connection:
        watched.remember(connection, place, NOW)
    with pytest.raises(Misused, match="which is watched"):
        draw()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    draw: Draw, owner: Engine, state: StateFolder, folder: Path, target: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    target.parent.write_text("a file")
    with pytest.raises(DaemonError, match="cannot write into"):
        draw()


def test_all_of_a_state_folder(owner: Engine, state: StateFolder, folder: Path, target: Path):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    analysed(owner, state, single(folder / "gone.tif", 2))
    (folder / "gone.tif").unlink()
    config = Config(state=StateConfig(folder=state.path))
    assert draw_all(state, config, target) == 1
    assert os.listdir(target) == names(found)
