"""Pictures of real files and masks, drawn by the real child."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import Engine

from daemon.config import LimitsConfig
from daemon.confinement import landlock_version
from daemon.easel import CannotDraw, Drawn, Easel, FolderFailed
from daemon.painter import PaintEnd, PictureDone, decoded
from daemon.palette import CLASS_MARKS
from daemon.untrusted import encoded
from schema import engine as database
from schema import pictures, standing
from schema.pictures import Drawable
from schema.state import StateFolder
from tests.daemon.outlined import analysed, leave_masks, names, series, single

FOLDER = "overlays"


@pytest.fixture
def easel(state: StateFolder, tmp_path: Path) -> Iterator[Easel]:
    """One that draws into an empty folder."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / "scratch").mkdir()
    made = Easel(state, tmp_path / FOLDER, tmp_path / "scratch", LimitsConfig())
    yield made
    made.rest()


@pytest.fixture
def ask(state: StateFolder, owner: Engine) -> Callable[[int], tuple]:
    """File and results of a number."""
    reader = database.reader(state.database)

    def of(file_id: int) -> tuple:
        with reader.begin() as connection:
            file = standing.entry(connection, file_id)
            return file.arrival, pictures.drawable(connection, source_file_ids=[file_id])

    return of


def in_folder(easel: Easel) -> list[str]:
    return sorted(os.listdir(easel.folder))


def test_a_result_becomes_a_picture_with_its_outline_and_scale_bar(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path, tmp_path: Path
):
    found = analysed(owner, state, single(folder / "a.tif", 1))
    (drawn,) = easel.draw(*ask(1))
    assert drawn == Drawn(picture=easel.folder / names(found)[0])
    picture = cv2.cvtColor(cv2.imread(str(drawn.picture)), cv2.COLOR_BGR2RGB)
    assert picture.shape[1] == 576  # 96 px in whole steps to 512 at least
    colour = np.array(CLASS_MARKS["stacking_fault"].colour)
    assert np.count_nonzero((picture[:576] == colour).all(axis=2)) > 500  # the rim of the disc
    assert picture.shape[0] > 576  # the strip with the scale bar
    assert os.listdir(tmp_path / "scratch") == []


def test_what_has_its_picture_is_not_missing_until_the_masks_are_newer(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    arrival, results = ask(1)
    assert easel.missing(results) == list(results)
    list(easel.draw(arrival, results))
    assert easel.missing(results) == []
    masks = state.path / found.analysis.mask_path
    later = masks.stat().st_mtime + 10
    os.utime(masks, (later, later))
    assert easel.missing(results) == list(results)


def test_the_clock_of_the_disk_that_takes_the_pictures_does_not_matter(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    masks = state.path / found.analysis.mask_path
    ahead = masks.stat().st_mtime + 86400
    os.utime(masks, (ahead, ahead))  # as if the other disk were a day behind
    arrival, results = ask(1)
    list(easel.draw(arrival, results))
    assert easel.missing(results) == []


def test_results_whose_masks_are_gone_are_not_missing(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    (state.path / found.analysis.mask_path).unlink()
    assert easel.missing(ask(1)[1]) == []


def test_every_frame_of_a_series_has_a_picture_and_the_file_is_read_once(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    found = analysed(owner, state, series(folder / "a.mrc", 3))
    arrival, results = ask(1)
    drawn = list(easel.draw(arrival, results[1:]))
    assert [each.reason for each in drawn] == [None, None]
    assert len(in_folder(easel)) == 2
    list(easel.draw(arrival, easel.missing(results)))
    assert in_folder(easel) == names(found)


def test_a_file_that_is_gone_may_come_back(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    path = single(folder / "a.tif", 1)
    analysed(owner, state, path)
    arrival, results = ask(1)
    path.unlink()
    with pytest.raises(CannotDraw, match="No such file") as cannot:
        list(easel.draw(arrival, results))
    assert cannot.value.passes


def test_a_file_that_was_written_anew_has_no_picture_of_the_old_result(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    path = single(folder / "a.tif", 1)
    analysed(owner, state, path)
    arrival, results = ask(1)
    single(path, 2)
    os.utime(path, (1, 1))
    with pytest.raises(CannotDraw, match="has changed") as cannot:
        list(easel.draw(arrival, results))
    assert not cannot.value.passes
    assert in_folder(easel) == []


def test_other_pixels_under_the_same_stamps_are_not_drawn(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    path = single(folder / "a.tif", 1)
    analysed(owner, state, path)
    arrival, results = ask(1)
    single(path, 2)
    os.utime(path, ns=(arrival.mtime_ns, arrival.mtime_ns))
    (drawn,) = easel.draw(arrival, results)
    assert drawn.reason == "the raw file no longer holds this image"
    assert in_folder(easel) == []


def test_a_frame_that_is_no_more_has_a_reason_and_the_others_a_picture(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, series(folder / "a.mrc", 2))
    arrival, (first, second) = ask(1)
    lost = Drawable(
        analysis_id=9, source_file_id=1, mask_path="masks/x/y.h5", signal_index=0, frame_index=7
    )
    drawn = {each.picture.stem: each.reason for each in easel.draw(arrival, (first, lost, second))}
    assert drawn.pop("y") == "the raw file no longer holds this image"
    assert set(drawn.values()) == {None}


def test_masks_that_are_damaged_cost_their_own_picture_alone(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    found = analysed(owner, state, series(folder / "a.mrc", 2))
    (state.path / found[0].analysis.mask_path).write_bytes(b"no HDF5")
    drawn = list(easel.draw(*ask(1)))
    assert [each.reason is None for each in drawn] == [False, True]
    assert "damaged" in (drawn[0].reason or "")


def test_a_child_that_dies_costs_one_try(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    arrival, results = ask(1)
    list(easel.draw(arrival, results))
    child = easel._child.pid
    assert child is not None
    os.kill(child, signal.SIGSTOP)  # so that it is killed with the file in its hands
    threading.Timer(1.0, os.kill, (child, signal.SIGKILL)).start()
    with pytest.raises(CannotDraw, match="SIGKILL") as cannot:
        list(easel.draw(arrival, results))
    assert cannot.value.passes
    assert [each.reason for each in easel.draw(arrival, results)] == [None]


def test_one_that_hangs_is_ended(
    state: StateFolder, ask, owner: Engine, folder: Path, tmp_path: Path
):
    (tmp_path / FOLDER).mkdir()
    limits = LimitsConfig(parser_seconds=15.0)
    easel = Easel(state, tmp_path / FOLDER, state.spool, limits)
    analysed(owner, state, single(folder / "a.tif", 1))
    arrival, results = ask(1)
    list(easel.draw(arrival, results))
    easel._limits = LimitsConfig(parser_seconds=0.5)
    os.kill(easel._child.pid or 0, signal.SIGSTOP)
    with pytest.raises(CannotDraw, match="did not answer") as cannot:
        list(easel.draw(arrival, results))
    assert cannot.value.passes
    easel.rest()


def test_a_folder_that_is_none_is_not_blamed_on_the_file(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    arrival, results = ask(1)
    easel.folder.rmdir()
    with pytest.raises(FolderFailed, match="No such file"):
        list(easel.draw(arrival, results))
    easel.folder.write_text("a file")
    with pytest.raises(FolderFailed, match="Not a directory"):
        easel.missing(results)


def test_after_a_failure_in_the_middle_the_next_file_gets_its_own_pictures(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, series(folder / "a.mrc", 3))
    found = analysed(owner, state, single(folder / "b.tif", 7))
    easel.folder.rmdir()
    with pytest.raises(FolderFailed):
        list(easel.draw(*ask(1)))
    easel.folder.mkdir()
    assert [each.reason for each in easel.draw(*ask(2))] == [None]
    assert in_folder(easel) == names(found)


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
def test_the_child_reaches_its_copies_and_the_masks_and_nothing_else(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    """It is asked for masks that lie elsewhere: what is there would else be read."""
    (found,) = analysed(owner, state, single(folder / "a.tif", 1))
    arrival, (result,) = ask(1)
    masks = state.path / found.analysis.mask_path
    elsewhere = state.path / "elsewhere.h5"
    elsewhere.write_bytes(masks.read_bytes())
    outside = Drawable(**{**vars(result), "mask_path": "elsewhere.h5"})
    (drawn,) = easel.draw(arrival, [outside])
    assert "Permission denied" in (drawn.reason or "")


def test_masks_written_later_are_reached_too(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    list(easel.draw(*ask(1)))
    (found,) = analysed(owner, state, single(folder / "b.tif", 2))
    leave_masks(state, found, folder / "b.tif")
    assert [each.reason for each in easel.draw(*ask(2))] == [None]


def test_the_kernel_ends_the_painter_before_anything_else(
    easel: Easel, ask, owner: Engine, state: StateFolder, folder: Path
):
    analysed(owner, state, single(folder / "a.tif", 1))
    list(easel.draw(*ask(1)))
    assert Path(f"/proc/{easel._child.pid}/oom_score_adj").read_text().strip() == "1000"


@pytest.mark.parametrize(
    "message",
    [PictureDone(number=3), PictureDone(number=0, reason="é \ud800"), PaintEnd(passes=True)],
)
def test_a_message_comes_back_as_it_was(message):
    assert decoded(encoded(message)) == message


@pytest.mark.parametrize("text", [b"", b"[]", b'{"Other":{}}', b'{"PictureDone":{}}', b"\xff"])
def test_anything_else_is_no_message(text):
    with pytest.raises(ValueError, match="no message of a painter"):
        decoded(text)
