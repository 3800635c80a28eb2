"""What is remembered of the watched folders."""

from dataclasses import replace

from schema import watched
from schema.records import WatchedFolderRecord
from tests.schema.examples import NOW

SHARE = WatchedFolderRecord(
    configured=b"/data/scope",
    path=b"/mnt/scope/\xff",
    mount_point=b"/mnt/scope",
    mount_source=b"cifs //server/scope",
)


def test_nothing_is_remembered_of_a_folder_that_was_never_seen(connection):
    assert watched.remembered(connection, SHARE.configured) is None


def test_where_a_folder_was_seen_last_is_remembered(connection):
    watched.remember(connection, SHARE, NOW)
    assert watched.remembered(connection, SHARE.configured) == SHARE
    moved = replace(SHARE, path=b"/data/scope", mount_point=b"/")
    watched.remember(connection, moved, NOW)
    assert watched.remembered(connection, SHARE.configured) == moved


def test_every_folder_that_was_watched_is_known_by_where_it_was(connection):
    assert watched.known_folders(connection) == ()
    watched.remember(connection, SHARE, NOW)
    watched.remember(connection, replace(SHARE, configured=b"/other", path=b"/other"), NOW)
    assert set(watched.known_folders(connection)) == {SHARE.path, b"/other"}
