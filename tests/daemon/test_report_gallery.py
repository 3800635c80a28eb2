"""The gallery of a report: from raw files that are there, and a sentence where they are not."""

import base64
import os
import re
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from sqlalchemy import Engine, update

from analysis.readers import read_micrographs
from daemon.config import Config, StateConfig
from daemon.errors import DaemonError
from daemon.palette import CLASS_MARKS
from daemon.report.writing import write_report
from daemon.selection import Selection
from daemon.stamps import mtime_ns
from schema import ledger, masks, sightings, store
from schema.records import CLASS_NAMES, ArrivalRecord, OriginRecord
from schema.state import StateFolder
from schema.tables import SourceFile
from tests.daemon.moments import NOW
from tests.daemon.pages import Element, Page
from tests.schema.examples import particle, result, sha256

SIDE_PX = 256
PIXEL_NM = 0.05
CENTRES = ((60, 60), (60, 190), (190, 60), (190, 190))


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


def labels() -> NDArray[np.uint16]:
    """Four discs of 2 nm, numbered from 1."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    found = np.zeros((SIDE_PX, SIDE_PX), np.uint16)
    for number, (row, column) in enumerate(CENTRES, start=1):
        found[np.hypot(y - row, x - column) <= 20] = number
    return found


def micrograph(
    owner: Engine, state: StateFolder, folder: Path, name: str, classes: tuple[str | None, ...]
) -> Path:
    """A raw file with four particles of these classes, analysed: its masks and rows are there.

    The forest was sure of the first by 0.9, of the second by 0.8, and so on.
    """
    raw = folder / f"{name}.tif"
    noise = np.random.default_rng(len(name)).normal(1000, 50, (SIDE_PX, SIDE_PX))
    noise += int(sha256(name)[:6], 16) % 997  # each picture is another
    tifffile.imwrite(raw, noise.astype(np.uint16))
    (read,) = read_micrographs(raw, pixel_size_nm=PIXEL_NM)
    discs = tuple(
        particle(
            number,
            2.0,
            particle_class=given,
            class_probabilities=None
            if given is None
            else {each: 1 - number / 10 if each == given else number / 40 for each in CLASS_NAMES},
        )
        for number, given in enumerate(classes, start=1)
    )
    pixels = {"pixel_sha256": read.pixel_sha256, "width_px": SIDE_PX, "height_px": SIDE_PX}
    image = {**pixels, "pixel_size_nm": PIXEL_NM, "pixel_size_source": "config"}
    record = result(name, discs, image_changes=image)
    path = bytes(raw)
    masks.write(
        state.path,
        record.analysis.mask_path,
        labels=labels(),
        probability=np.full((SIDE_PX, SIDE_PX), 200, np.uint8),
        probability_pixel_size_nm=PIXEL_NM,
        pixel_size_nm=PIXEL_NM,
        record=record,
        origin=OriginRecord(
            path=path, root=bytes(folder), size_bytes=1, mtime_ns=1, file_sha256=sha256(name)
        ),
    )
    status = raw.stat()
    arrival = ArrivalRecord(
        path=path,
        root=bytes(folder),
        size_bytes=status.st_size,
        mtime_ns=mtime_ns(status),
        inode=status.st_ino,
    )
    with owner.begin() as connection:
        (sighting,) = sightings.observe(connection, [arrival], None, NOW)
        ledger.ready(connection, sighting.source_file_id, arrival, NOW)
        ledger.begin(connection, sighting.source_file_id, "boot", 1, NOW)
        store.commit_results(connection, sighting.source_file_id, sha256(name), [record], NOW)
    return raw


FAULTED = ("stacking_fault", "stacking_fault", "no_stacking_fault", "misoriented")


def page(config: Config, target: Path, per_class: int = 6) -> Page:
    write_report(config, Selection(), target, title=None, per_class=per_class, now=NOW)
    return Page(target.read_text(encoding="utf-8"))


def pictures(shown: Page) -> list[Element]:
    return shown.tagged("img")


def pixels(picture: Element) -> NDArray[np.uint8]:
    """(h, w, 3) red-green-blue of a picture of the page."""
    uri = picture.attributes["src"] or ""
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    found = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


@pytest.fixture
def two(owner: Engine, state: StateFolder, folder: Path) -> list[Path]:
    """Two micrographs with their raw files."""
    return [micrograph(owner, state, folder, name, FAULTED) for name in ("first", "second")]


def test_each_class_is_shown_by_the_particles_it_has(two, config, tmp_path):
    shown = page(config, tmp_path / "a.html")
    alternatives = [each.attributes["alt"] or "" for each in pictures(shown)]
    for words, count in (("stacking fault", 4), ("no stacking fault", 2), ("misoriented", 2)):
        assert sum(each.endswith(f"scale bar: {words}.") for each in alternatives) == count
    assert sum("lettered by class" in each for each in alternatives) == 2
    assert "Chosen from 2 of 2 micrographs" in shown.section("gallery")


def test_a_particle_is_outlined_in_the_colour_of_its_class(two, config, tmp_path):
    shown = page(config, tmp_path / "a.html")
    for name in ("stacking_fault", "misoriented"):
        mark = CLASS_MARKS[name]
        (first, *_) = [
            each
            for each in pictures(shown)
            if (each.attributes["alt"] or "").endswith(f"scale bar: {mark.words}.")
        ]
        picture = pixels(first)
        close = np.abs(picture.astype(int) - np.array(mark.colour)).max(axis=2) < 50
        y, x = np.nonzero(close[: picture.shape[1]])
        radius = np.hypot(y - picture.shape[1] / 2, x - picture.shape[1] / 2)
        # 40 px of particle in a window of 41 · 1.6 px
        assert np.median(radius) == pytest.approx(picture.shape[1] * 20.5 / 66, abs=6)


def test_typical_particles_come_first_and_those_the_forest_was_least_sure_of_last(
    owner, state, config, folder, tmp_path
):
    for name in ("one", "three", "eleven"):
        micrograph(owner, state, folder, name, ("misoriented",) * 4)
    shown = page(config, tmp_path / "a.html", per_class=4)
    captions = [each.text for each in shown.tagged("figcaption") if ", p " in each.text]
    found = [
        (float(match[1]), match[2])
        for match in (re.search(r"p ([\d.]+), (typical|least sure)", each) for each in captions)
    ]
    assert [kind for _, kind in found] == ["typical", "typical", "least sure", "least sure"]
    assert all(abs(probability - 0.75) <= 0.051 for probability, _ in found[:2])
    assert all(probability == pytest.approx(0.6) for probability, _ in found[2:])


def test_no_picture_is_made_where_none_is_wanted(two, config, tmp_path):
    shown = page(config, tmp_path / "a.html", per_class=0)
    assert pictures(shown) == []
    assert "This report was made without pictures." in shown.section("gallery")


def test_a_raw_file_that_is_gone_is_a_sentence(two, config, tmp_path):
    two[0].unlink()
    shown = page(config, tmp_path / "a.html")
    text = shown.section("gallery")
    assert "There is no picture of first.tif: the raw file cannot be read: No such file" in text
    assert {
        re.search(r"\w+\.tif", each.attributes["alt"] or "")[0] for each in pictures(shown)
    } == {"second.tif"}


def test_a_raw_file_that_was_written_anew_is_a_sentence(two, config, tmp_path):
    for raw in two:
        raw.write_bytes(b"This is no picture. " * 100)
    text = page(config, tmp_path / "a.html").section("gallery")
    assert "There is no picture of first.tif, second.tif: the raw file has changed since." in text
    assert "There is no picture to show." in text


def test_a_raw_file_with_other_pixels_under_its_old_stamps_is_a_sentence(two, config, tmp_path):
    before = two[0].stat()
    other = np.random.default_rng(0).integers(0, 9, (SIDE_PX, SIDE_PX), np.uint16)
    tifffile.imwrite(two[0], other)
    os.utime(two[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    text = page(config, tmp_path / "a.html").section("gallery")
    assert "There is no picture of first.tif: the raw file no longer holds this image." in text


def test_a_link_in_the_place_of_a_raw_file_is_not_followed(two, config, tmp_path):
    moved = two[0].rename(tmp_path / "elsewhere.tif")
    two[0].symlink_to(moved)
    text = page(config, tmp_path / "a.html").section("gallery")
    assert "There is no picture of first.tif: " in text


def test_masks_that_are_gone_are_a_sentence(two, config, state, tmp_path):
    for path in state.masks.rglob("*.h5"):
        path.unlink()
    text = page(config, tmp_path / "a.html").section("gallery")
    for name in ("first", "second"):
        assert re.search(rf"no picture of {name}.tif: \S+\.h5 is damaged or no mask file", text)


def test_a_particle_that_its_masks_no_longer_hold_is_a_sentence(two, config, state, tmp_path):
    for path in state.masks.rglob("*.h5"):
        with h5py.File(path, "r+") as file:
            found = file["entry/masks/labels"]
            found[...] = np.where(found[...] == 4, 0, found[...])
    shown = page(config, tmp_path / "a.html")
    assert "no picture of first.tif, second.tif: there is no particle 4." in shown.section(
        "gallery"
    )
    assert len(pictures(shown)) == 2 * 3 + 2


def test_no_copy_of_a_raw_file_is_left_behind(two, config, tmp_path):
    page(config, tmp_path / "a.html")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_is_not_there_is_said_so(two, config, tmp_path):
    with pytest.raises(DaemonError, match=r"cannot write into .*nowhere: No such file"):
        page(config, tmp_path / "nowhere" / "a.html")


def test_files_known_to_be_gone_are_not_looked_for(two, owner, config, tmp_path, monkeypatch):
    with owner.begin() as connection:
        first = SourceFile.path == bytes(two[0])
        connection.execute(update(SourceFile).where(first).values(present=0))
    shown = page(config, tmp_path / "a.html")
    text = shown.section("gallery")
    assert "Chosen from 1 of 2 micrographs" in text
    assert "Of 1 micrograph the raw file had gone when last looked for." in text
    assert not any("first.tif" in (each.attributes["alt"] or "") for each in pictures(shown))


def test_raw_files_and_masks_stay_as_they_were(two, config, state, tmp_path):
    files = [*two, *state.masks.rglob("*.h5")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    page(config, tmp_path / "a.html")
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before


def test_particles_without_a_class_are_shown_too(owner, state, config, folder, tmp_path):
    micrograph(owner, state, folder, "bare", (None,) * 4)
    shown = page(config, tmp_path / "a.html")
    assert [each.text for each in shown.tagged("h3")].count("No class (?)") == 1
    assert (
        sum((each.attributes["alt"] or "").endswith("no class.") for each in pictures(shown)) == 4
    )
