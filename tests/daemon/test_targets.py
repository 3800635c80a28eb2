"""Nothing that a command makes lands among raw files, or over the results."""

from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.config import Config, StateConfig, WatchConfig
from daemon.errors import Misused
from daemon.targets import check_apart, check_target
from schema import engine as database
from schema import watched
from schema.records import WatchedFolderRecord
from tests.daemon.moments import NOW
from tests.daemon.results import done


@pytest.fixture
def places(owner, state, tmp_path) -> Path:
    """A folder watched once, a folder watched now, and one for anything."""
    for name in ("once", "now", "mine"):
        (tmp_path / name).mkdir()
    folder = bytes(tmp_path / "once")
    record = WatchedFolderRecord(
        configured=folder, path=folder, mount_point=b"/", mount_source=b"ext4 disk"
    )
    with owner.begin() as connection:
        watched.remember(connection, record, NOW)
    done(owner, b"/data/a.dm4", "1")
    return tmp_path


def config_of(places: Path) -> Config:
    return Config(
        state=StateConfig(folder=places / "state"), watch=(WatchConfig(folder=places / "now"),)
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("once/raw.html", "once, which is watched"),
        ("now/deep/er/raw.html", "now, which is watched"),
        ("now", "now, which is watched"),
        ("state/fringewatch.html", "inside the state folder"),
        ("mine/../now/raw.html", "now, which is watched"),
        ("mine/link/raw.html", "now, which is watched"),
        ("mine/raw.dm4", "does not end with .html"),
    ],
)
def test_a_target_that_could_cost_data_is_refused(places, state, target, words):
    (places / "mine" / "link").symlink_to(places / "now")
    suffixes = () if target == "now" else (".html",)
    with database.reader(state.database).begin() as connection, pytest.raises(Misused) as caught:
        check_target(connection, config_of(places), places / target, suffixes)
    assert words in str(caught.value)


@pytest.mark.parametrize("folder", ["once", "now", "once/deep", "now/deep"])
def test_pictures_lie_in_no_watched_folder(places, state, folder):
    with database.reader(state.database).begin() as connection:
        check_apart(connection, config_of(places), places / "mine")
        with pytest.raises(Misused, match="which is watched"):
            check_apart(connection, config_of(places), places / folder)


@pytest.mark.parametrize("watched_one", ["once", "now"])
def test_pictures_lie_in_no_folder_around_a_watched_one(places, state, watched_one):
    above = places / "mine" / watched_one
    record = WatchedFolderRecord(
        configured=b"x", path=bytes(above), mount_point=b"/", mount_source=b"ext4 disk"
    )
    watch = (WatchConfig(folder=above),) if watched_one == "now" else ()
    config = Config(state=StateConfig(folder=places / "state"), watch=watch)
    with database.writer(state.database).begin() as connection:
        if watched_one == "once":
            watched.remember(connection, record, NOW)
        with pytest.raises(Misused, match=r"mine holds .*, which is watched"):
            check_apart(connection, config, places / "mine")


def test_any_other_target_is_well(places, state):
    with database.reader(state.database).begin() as connection:
        check_target(connection, config_of(places), places / "mine" / "a.HTML", (".html",))
        check_target(connection, config_of(places), places / "nowhere" / "a.csv")


WRITING = (
    ("report", "{}/raw.html", "--no-gallery"),
    ("export", "{}/raw.csv"),
    ("live", "--svg", "{}/raw.svg"),
    ("query", "--datasette", "{}/shown"),
)
PICTURES = ("overlays", "{}/pictures")  # may lie in the state folder, beside its own folders


@pytest.mark.parametrize(
    ("command", "place"),
    [*product(WRITING, ("once", "state")), (PICTURES, "once")],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_every_command_that_writes_a_file_asks_first(places, command, place):
    before = sorted(places.rglob("*"))
    words = [word.format(places / place) for word in command]
    ended = CliRunner().invoke(app, [*words, "--state", str(places / "state")])
    assert isinstance(ended.exception, Misused)
    assert sorted(places.rglob("*")) == before
