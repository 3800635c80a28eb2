"""The walk finds every file a microscope writes, and nothing else."""

import errno
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from daemon.config import WatchConfig
from daemon.roots import Root, RootVanished
from daemon.walk import holds, is_gone, named, single, survey, walk
from schema.records import ArrivalRecord


def root_of(folder: Path, **options) -> Root:
    return Root.of(WatchConfig(folder=folder, **options))


def names_found(folder: Path, **options) -> list[bytes]:
    return [
        os.path.relpath(arrival.path, os.fsencode(folder))
        for arrival in walk(root_of(folder, **options)).arrivals
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"\xff\xfe not utf-8.dm4",
        b"two\nlines.dm4",
        b"x" * 251 + b".dm4",
        "🔬 Au.dm4".encode(),
        b"-rf %s \x1b[31m.dm4",
        "é.dm4".encode(),
        "e\u0301.dm4".encode(),
    ],
)
def test_a_name_is_bytes_and_comes_back_unchanged(folder, name):
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as file:
        file.write(b"four")
    (arrival,) = walk(root_of(folder)).arrivals
    status = os.stat(path)
    assert arrival.path == path
    assert arrival.root == os.fsencode(folder)
    assert (arrival.size_bytes, arrival.mtime_ns, arrival.inode) == (
        4,
        status.st_mtime_ns,
        status.st_ino,
    )


def test_names_that_differ_only_in_unicode_form_are_two_files(folder):
    for name in ("é.dm4", "e\u0301.dm4"):
        (folder / name).touch()
    assert len(names_found(folder)) == 2


def test_links_pipes_and_sockets_are_neither_followed_nor_reported(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dm4").touch()
    (folder / "a.dm4").touch()
    (folder / "file.dm4").symlink_to(folder / "a.dm4")
    (folder / "out.dm4").symlink_to(outside / "secret.dm4")
    (folder / "out").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.dm4").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.dm4")
    assert names_found(folder) == [b"a.dm4"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.dm4",
        ".a.dm4.XyZ123",
        "~a.dm4",
        "a.dm4.tmp",
        "A.DM4.TMP",
        "a.dm4.part",
        "a.dm4.part7",
        "a.dm4.partial",
        "a.dm4.crdownload",
        "a.dm4.filepart",
    ],
)
def test_what_writers_call_unfinished_files_is_left_alone(folder, name):
    (folder / name).touch()
    assert names_found(folder) == []


def test_hidden_folders_are_left_alone(folder):
    for name in (".~tmp~", ".snapshot"):
        (folder / name).mkdir()
        (folder / name / "a.dm4").touch()
    assert names_found(folder) == []


def test_ignored_patterns_are_left_alone(folder):
    for name in ("a.dm4", "preview_a.tif", "a.jpg"):
        (folder / name).touch()
    assert names_found(folder, ignore=("preview_*", "*.jpg")) == [b"a.dm4"]


def test_companions_come_with_their_primary_file(folder):
    for name in ("x_1.ser", "x_2.ser", "x.emi", "s.mrc", "s.mrc.mdoc", "lone.emi", "lone.mdoc"):
        (folder / name).write_text(name)
    found = {
        os.path.basename(arrival.path): [os.path.basename(c.path) for c in arrival.companions]
        for arrival in walk(root_of(folder)).arrivals
    }
    assert found == {
        b"x_1.ser": [b"x.emi"],
        b"x_2.ser": [b"x.emi"],
        b"s.mrc": [b"s.mrc.mdoc"],
        b"lone.emi": [],
        b"lone.mdoc": [],
    }


def test_a_companion_has_its_own_size_and_time(folder):
    (folder / "x_1.ser").touch()
    (folder / "x.emi").write_text("12345")
    os.utime(folder / "x.emi", ns=(7, 7))
    (arrival,) = walk(root_of(folder)).arrivals
    assert [(c.size_bytes, c.mtime_ns) for c in arrival.companions] == [(5, 7)]


def test_folders_below_belong_to_the_root_unless_it_is_not_recursive(folder):
    (folder / "day" / "grid").mkdir(parents=True)
    for name in ("a.dm4", "day/b.dm4", "day/grid/c.dm4"):
        (folder / name).touch()
    assert names_found(folder) == [b"a.dm4", b"day/b.dm4", b"day/grid/c.dm4"]
    assert names_found(folder, recursive=False) == [b"a.dm4"]


def test_ten_thousand_files_are_looked_at_once_each(folder):
    count = 10_000
    for number in range(count):
        os.close(os.open(folder / f"f{number:05d}_1.ser", os.O_CREAT))
    root = root_of(folder)
    calls = calls_made(lambda: walk(root))
    assert calls["scandir"] == 1
    assert calls["stat"] < count + 100
    assert calls.total() < 200 * count


def calls_made(step) -> Counter[str]:
    """How often each function was called, by name."""
    calls: Counter[str] = Counter()

    def profile(frame, event, argument) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1
        elif event == "c_call":
            calls[argument.__name__] += 1

    sys.setprofile(profile)
    try:
        step()
    finally:
        sys.setprofile(None)
    return calls


def test_a_look_at_one_file_does_not_look_at_its_ten_thousand_neighbours(folder):
    for number in range(10_000):
        os.close(os.open(folder / f"f{number:05d}.dm4", os.O_CREAT))
    (folder / "x_1.ser").touch()
    (folder / "x.emi").touch()
    root = root_of(folder)
    found = []
    calls = calls_made(lambda: found.extend(survey(root, root.path, [b"x.emi"])))
    assert [os.path.basename(arrival.path) for arrival in found] == [b"x_1.ser"]
    assert [os.path.basename(c.path) for c in found[0].companions] == [b"x.emi"]
    assert calls["stat"] < 10
    assert calls.total() < 30_000


def test_a_look_at_many_names_finds_them_all(folder):
    names = [f"f{number:03d}.dm4".encode() for number in range(200)]
    for name in names:
        (folder / os.fsdecode(name)).touch()
    root = root_of(folder)
    assert len(survey(root, root.path, names)) == 200


def test_a_root_that_is_gone_has_vanished(folder):
    root = root_of(folder)
    folder.rmdir()
    with pytest.raises(RootVanished):
        walk(root)
    with pytest.raises(RootVanished):
        survey(root, root.path, [b"a.dm4"])


def test_a_root_that_is_a_file_is_no_root(folder):
    (folder / "a.dm4").touch()
    with pytest.raises(NotADirectoryError):
        root_of(folder / "a.dm4")


def test_a_folder_gone_since_it_was_listed_is_empty(folder):
    root = root_of(folder)
    assert survey(root, os.path.join(root.path, b"gone"), [b"a.dm4"]) == []


@pytest.mark.parametrize("swapped", ["day", "day/night"])
def test_a_folder_swapped_for_a_link_since_it_was_listed_is_empty(folder, tmp_path, swapped):
    outside = tmp_path / "outside"
    (outside / "night").mkdir(parents=True)
    for place in (outside, outside / "night"):
        (place / "secret.dm4").touch()
    (folder / swapped).parent.mkdir(exist_ok=True)
    (folder / swapped).symlink_to(outside)
    root = root_of(folder)
    for below in (b"day", b"day/night"):
        assert survey(root, os.path.join(root.path, below), [b"secret.dm4"]) == []


def test_a_root_holds_itself_and_what_lies_below(folder):
    root = root_of(folder)
    flat = root_of(folder, recursive=False)
    below = os.path.join(root.path, b"day")
    assert holds(root, root.path)
    assert holds(root, below)
    assert not holds(root, root.path + b"_2")
    assert holds(flat, root.path)
    assert not holds(flat, below)


@pytest.mark.parametrize("hidden", [".~tmp~", "day/.sync", "day.part/a", "keep/search_1"])
def test_a_root_does_not_hold_what_the_walk_leaves_alone(folder, hidden):
    (folder / hidden).mkdir(parents=True)
    (folder / hidden / "a.dm4").touch()
    root = root_of(folder, ignore=("search_*",))
    assert walk(root).arrivals == ()
    assert not holds(root, os.fsencode(folder / hidden))


@pytest.mark.parametrize(("number", "is_whole"), [(errno.EIO, False), (errno.ENOENT, True)])
def test_a_file_that_cannot_be_looked_at_is_not_taken_for_gone(
    folder, monkeypatch, number, is_whole
):
    (folder / "a.dm4").touch()
    monkeypatch.setattr("daemon.walk._entries", lambda *_: iter([_Unseen(number)]))
    root = root_of(folder)
    assert walk(root).is_whole == is_whole
    if not is_whole:
        with pytest.raises(OSError, match=os.strerror(number)):
            survey(root, root.path, [b"a.dm4"])


class _Unseen:
    """An entry of a folder on a share that fails just now."""

    name = "a.dm4"

    def __init__(self, number: int) -> None:
        self._number = number

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        raise OSError(self._number, os.strerror(self._number))


def test_a_folder_whose_path_is_too_long_hides_no_absence(folder):
    deep = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(18):  # of 255 bytes each: beyond the 4096 of a path
            os.mkdir("d" * 255, dir_fd=deep)
            below = os.open("d" * 255, os.O_RDONLY, dir_fd=deep)
            os.close(deep)
            deep = below
        assert walk(root_of(folder)).is_whole
    finally:
        os.close(deep)


def test_a_file_named_by_hand_brings_its_companions(folder):
    for name in ("x_1.ser", "x.emi"):
        (folder / name).touch()
    by_primary = single(os.fsencode(folder / "x_1.ser"))
    assert [os.path.basename(c.path) for c in by_primary.companions] == [b"x.emi"]
    assert by_primary.root == os.fsencode(folder)
    assert single(os.fsencode(folder / "x.emi")) == by_primary


def test_a_file_named_by_hand_must_be_there(folder):
    with pytest.raises(FileNotFoundError):
        single(os.fsencode(folder / "nowhere.dm4"))


def test_files_named_by_hand_cost_one_listing_and_a_look_each(folder):
    names = [f"Au_{number:04d}.tif".encode() for number in range(300)]
    for name in names:
        (folder / os.fsdecode(name)).touch()
    found = {}
    calls = calls_made(lambda: found.update(named(os.fsencode(folder), names[:200])))
    assert list(found) == names[:200]
    assert all(isinstance(file, ArrivalRecord) for file in found.values())
    assert (calls["listdir"], calls["lstat"]) == (1, 200)
    assert calls.total() < 200 * 300


def test_a_companion_of_many_stands_for_the_first_of_them(folder):
    for name in ("x_2.ser", "x_1.ser", "x.emi"):
        (folder / name).touch()
    assert os.path.basename(single(os.fsencode(folder / "x.emi")).path) == b"x_1.ser"


def test_a_file_named_by_hand_says_for_itself_why_it_cannot_be_looked_at(folder, monkeypatch):
    for name in ("a.dm4", "sick.dm4"):
        (folder / name).touch()
    lstat = os.lstat

    def look(path):
        if os.path.basename(path) == b"sick.dm4":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return lstat(path)

    monkeypatch.setattr("daemon.walk.os.lstat", look)
    found = named(os.fsencode(folder), [b"a.dm4", b"sick.dm4", b"nowhere.dm4"])
    assert isinstance(found[b"a.dm4"], ArrivalRecord)
    assert isinstance(found[b"sick.dm4"], OSError)
    assert not is_gone(found[b"sick.dm4"])
    assert is_gone(found[b"nowhere.dm4"])


@pytest.mark.parametrize("named_by", ["x_1.ser", "x.emi"])
def test_what_has_gone_since_the_listing_belongs_to_nothing(folder, monkeypatch, named_by):
    (folder / named_by).touch()
    monkeypatch.setattr("daemon.walk.os.listdir", lambda _: [b"x_1.ser", b"x.emi"])
    found = single(os.fsencode(folder / named_by))
    assert (os.path.basename(found.path), found.companions) == (os.fsencode(named_by), ())
