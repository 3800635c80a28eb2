"""The command line goes on top of the configuration, and what makes no sense is misuse."""

from pathlib import Path

import pytest

from daemon.config import Config
from daemon.errors import ConfigError, Exit, Misused
from daemon.options import settings


@pytest.fixture
def file(tmp_path: Path, folder: Path) -> Path:
    path = tmp_path / "fringewatch.toml"
    path.write_text(
        '[state]\nfolder = "state"\n'
        f'[[watch]]\nfolder = "{folder}"\nignore = ["*.jpg"]\n'
        '[analysis]\nbundle = "./mine"\n'
    )
    return path


def test_nothing_said_is_the_defaults():
    assert settings(None, None, []) == Config()


def test_the_file_rules_where_the_command_line_is_silent(file, folder):
    chosen = settings(file, None, [])
    assert [watch.folder for watch in chosen.watch] == [folder]
    assert chosen.analysis.bundle == str(file.parent / "mine")


def test_the_command_line_rules_over_the_file(file, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    state = tmp_path / "elsewhere"
    chosen = settings(file, state, [other], bundle="default", force=True)
    assert [watch.folder for watch in chosen.watch] == [other]
    assert chosen.state.folder == state
    assert chosen.analysis.bundle == "default"
    assert chosen.analysis.force_out_of_domain


def test_a_pixel_size_is_for_every_folder(file):
    chosen = settings(file, None, [], pixel_size_nm=0.02)
    assert chosen.watch[0].pixel_size_nm == 0.02
    assert chosen.watch[0].ignore == ("*.jpg",)


def test_relative_folders_are_taken_from_here(tmp_path, monkeypatch):
    (tmp_path / "acq").mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = settings(None, Path("state"), [Path("acq")])
    assert chosen.state.folder == tmp_path / "state"
    assert chosen.watch[0].folder == tmp_path / "acq"


def test_the_overlays_of_the_command_line_rule_and_are_checked(file, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings(file, None, [], overlays=Path("seen")).overlays.folder == tmp_path / "seen"
    with pytest.raises(ConfigError, match="lie inside the watched folder"):
        settings(file, None, [], overlays=folder / "seen")


@pytest.mark.parametrize("size", [0.0, -0.02, 1000.0, float("nan"), float("inf")])
def test_a_pixel_size_that_makes_no_sense_is_misuse(folder, size):
    with pytest.raises(Misused, match="makes no sense") as error:
        settings(None, None, [folder], pixel_size_nm=size)
    assert error.value.exit_code == Exit.MISUSED


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_folder_that_is_none_is_misuse(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(Misused, match="is not a folder"):
        settings(None, None, [tmp_path / name])


def test_folders_of_the_command_line_are_checked_too(folder):
    with pytest.raises(ConfigError, match="lies inside"):
        settings(None, folder / "state", [folder])
    with pytest.raises(ConfigError, match="overlap"):
        settings(None, None, [folder, folder])
