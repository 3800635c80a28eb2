"""A watched folder that is not there is told from one that is empty."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config import WatchConfig
from daemon.mounts import Mount
from daemon.roots import Root, RootVanished, look, opened
from schema.records import WatchedFolderRecord


@pytest.fixture
def config(folder: Path) -> WatchConfig:
    """Names the folder."""
    return WatchConfig(folder=folder)


def mount_at(monkeypatch: pytest.MonkeyPatch, point: Path, source: str = "disk") -> None:
    """From now on the folder lies on what is mounted there."""
    mount = Mount(point=point, file_system="ext4", source=source)
    monkeypatch.setattr("daemon.roots.mount_of", lambda folder: mount)


@pytest.fixture
def known(config: WatchConfig, monkeypatch: pytest.MonkeyPatch) -> WatchedFolderRecord:
    """The folder was seen as the place where a share is mounted, which it is not now."""
    mount_at(monkeypatch, config.folder)
    found = Root.of(config).record
    mount_at(monkeypatch, Path("/"))
    return found


def test_a_folder_seen_for_the_first_time_is_taken_as_it_is(config):
    root = opened(config, None)
    assert root == Root.of(config)
    look(root)


def test_a_name_that_never_led_anywhere_may_be_wrong(config, folder):
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        opened(config, None)


def test_a_folder_that_was_seen_and_is_gone_is_absent(config, folder):
    known = Root.of(config).record
    folder.rmdir()
    root = opened(config, known)
    assert root.record == known
    with pytest.raises(RootVanished):
        look(root)
    folder.mkdir()
    look(root)


def test_an_empty_folder_where_a_share_was_mounted_is_absent(config, known, monkeypatch):
    root = opened(config, known)
    with pytest.raises(RootVanished, match="nothing is mounted"):
        look(root)
    mount_at(monkeypatch, config.folder)
    look(root)


def test_an_empty_folder_mounted_onto_itself_is_not_the_share(config, known, monkeypatch):
    """As the service's own read-only view of the folder is."""
    root = opened(config, known)
    mount_at(monkeypatch, config.folder, "another disk")
    with pytest.raises(RootVanished, match="ext4 disk is not mounted"):
        look(root)
    (config.folder / "a.dm4").touch()
    look(root)


def test_a_folder_with_files_has_taken_the_place_of_the_share(config, known):
    (config.folder / "a.dm4").touch()
    root = opened(config, known)
    assert root.mount.point == Path("/")
    look(root)


def test_where_the_name_leads_elsewhere_now_it_is_another_folder(config, known):
    root = opened(config, replace(known, path=b"/elsewhere"))
    assert root.record.path == known.path
    look(root)


def test_two_folders_one_after_the_other_are_two_places(config, folder):
    root = Root.of(config)
    first = look(root)
    assert look(root) == first
    folder.rename(folder.with_name("before"))
    folder.mkdir()
    assert look(root) != first


MOUNTED = """
import subprocess, sys
from pathlib import Path
from daemon.config import WatchConfig
from daemon.roots import Root, RootVanished, look
point = Path(sys.argv[1])
source = point.parent / "source"
(source / "acq").mkdir(parents=True)
def mount(kind):
    options = {"tmpfs": ["-t", "tmpfs", "none"], "bind": ["--bind", source]}[kind]
    subprocess.run(["mount", *options, point], check=True)
    (point / "acq").mkdir(exist_ok=True)
def is_there(root):
    try:
        look(root)
    except RootVanished:
        return False
    return True
view = sys.argv[3:] == ["view"]  # as the service has: the folder, read-only, onto itself
if view:
    subprocess.run(["mount", "--bind", point, point], check=True)
mount(sys.argv[2])
roots = [Root.of(WatchConfig(folder=folder)) for folder in (point, point / "acq")]
print([is_there(root) for root in roots])
subprocess.run(["umount", point], check=True)
if not view:
    (point / "acq").mkdir()
print([is_there(root) for root in roots])
mount(sys.argv[2])
print([is_there(root) for root in roots])
"""


@pytest.mark.parametrize("kind", [["tmpfs"], ["bind"], ["tmpfs", "view"]])
def test_a_share_is_gone_while_unmounted_and_there_when_mounted_again(tmp_path, kind):
    point = tmp_path / "mnt" / "share"
    point.mkdir(parents=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", MOUNTED]
    try:
        run = subprocess.run([*command, point, *kind], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if "unshare" in run.stderr or "permission denied" in run.stderr:
        pytest.skip(f"no mounts here: {run.stderr.strip()}")
    assert run.stderr == ""
    assert run.stdout.splitlines() == ["[True, True]", "[False, False]", "[True, True]"]
