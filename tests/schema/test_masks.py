import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import durable, masks
from schema.errors import MaskFileError
from tests.schema.examples import origin, particle, result
from tests.schema.strategies import results

REPOSITORY = Path(__file__).resolve().parents[2]


def labels_of(shape=(64, 96), dtype=np.uint16):
    labels = np.zeros(shape, dtype)
    labels[10:20, 30:50] = 1
    labels[40:60, 5:25] = 2
    return labels


def write(folder, record=None, **changes):
    record = record or result(particles=(particle(),))
    values = {
        "labels": labels_of(),
        "probability": (labels_of((32, 48)) * 100).astype(np.uint8),
        "probability_pixel_size_nm": 0.04,
        "pixel_size_nm": 0.02,
        "record": record,
        "origin": origin(),
    } | changes
    return masks.write(folder, record.analysis.mask_path, **values)


@settings(max_examples=15)
@given(record=results())
def test_a_result_comes_back_from_its_mask_file_as_it_was(tmp_path_factory, record):
    record = replace(record, analysis=replace(record.analysis, mask_path="masks/undated/a.h5"))
    path = write(tmp_path_factory.mktemp("state"), record)
    assert masks.read_record(path) == record
    assert masks.read_origin(path) == origin()


def test_a_nul_in_a_name_does_not_keep_a_result_from_being_written(tmp_path):
    record = result(particles=(particle(),))
    odd = replace(record, bundle=replace(record.bundle, name="our\0model"))
    path = write(tmp_path, odd)
    assert masks.read_record(path).bundle.name == "our\0model"


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_masks_come_back_pixel_by_pixel(tmp_path, dtype):
    path = write(tmp_path, labels=labels_of(dtype=dtype))
    found = masks.read_labels(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels_of())
    assert masks.read_probability(path).shape == (32, 48)


def test_the_layout_is_nexus_with_checksums_and_axes_in_nm(tmp_path):
    with h5py.File(write(tmp_path), "r") as file:
        entry = file[file.attrs["default"]]
        group = entry[entry.attrs["default"]]
        assert group.attrs["NX_class"] == "NXdata"
        assert entry.attrs["NX_class"] == "NXentry"
        assert list(group.attrs["axes"]) == ["y", "x"]
        for name in ("labels", "probability"):
            assert group[name].fletcher32
            assert group[name].compression == "gzip"
            assert group[name].chunks
        assert group["x"].attrs["units"] == "nm"


def test_the_axes_of_both_grids_span_the_same_field(tmp_path):
    with h5py.File(write(tmp_path), "r") as file:
        group = file["entry/masks"]
        for fine, coarse in (("y", "probability_y"), ("x", "probability_x")):
            width_nm = 0.02 * group[fine].size
            assert group[fine][:].mean() == pytest.approx(width_nm / 2)
            assert group[coarse][:].mean() == pytest.approx(width_nm / 2)


def test_without_a_pixel_size_the_axes_count_pixels(tmp_path):
    path = write(tmp_path, pixel_size_nm=None, probability_pixel_size_nm=None)
    with h5py.File(path, "r") as file:
        assert file["entry/masks/x"].attrs["units"] == "px"
        assert file["entry/masks/x"][0] == 0.5


def test_a_result_that_was_not_segmented_has_no_labels_and_keeps_its_record(tmp_path):
    record = result(segmented=False, in_domain=False, domain_reason="STEM, not TEM")
    path = write(tmp_path, record, labels=None, probability=None)
    assert masks.read_labels(path) is None
    assert masks.read_record(path) == record


def test_attributes_name_where_it_came_from_and_how_it_was_made(tmp_path):
    record = result()
    with h5py.File(write(tmp_path, record), "r") as file:
        named = file["entry"].attrs
        assert named["source_path"] == origin().path
        assert named["file_sha256"] == origin().file_sha256
        assert named["natural_key"] == record.analysis.natural_key
        assert named["bundle"] == "default 1"
        assert named["settings"] == "{}"
        assert named["software"] == "fringewatch 0.1.0"


def test_files_and_folders_are_closed_to_others(tmp_path):
    path = write(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o027 == 0


def test_nothing_but_the_file_remains(tmp_path):
    path = write(tmp_path)
    write(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_does_not_read_back_never_gets_its_name(tmp_path, monkeypatch):
    def lossy(parent, name, array):
        return parent.create_dataset(name, data=np.zeros_like(array))

    monkeypatch.setattr(masks, "_write_array", lossy)
    with pytest.raises(MaskFileError, match="read back differently"):
        write(tmp_path)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_a_flipped_bit_is_found_on_reading(tmp_path):
    path = write(tmp_path, labels=np.arange(512 * 512, dtype=np.uint32).reshape(512, 512))
    with h5py.File(path, "r") as file:
        place = file["entry/masks/labels"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 100] ^= 4
    path.write_bytes(content)
    with pytest.raises(MaskFileError, match="damaged"):
        masks.read_labels(path)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_of_another_kind_is_named_as_such(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(MaskFileError, match="no mask file"):
        masks.read_record(path)


@pytest.mark.parametrize("path", ["../masks/a.h5", "masks/../../a.h5", "/masks/a.h5", "a.h5"])
def test_a_path_outside_the_masks_is_refused(tmp_path, path):
    with pytest.raises(ValueError, match="no mask path"):
        masks.write(
            tmp_path, path, labels=None, probability=None, probability_pixel_size_nm=None,
            pixel_size_nm=None, record=result(), origin=origin(),
        )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"labels": labels_of(dtype=np.int64)}, {"probability": np.zeros((4, 4), np.float32)}],
)
def test_arrays_of_another_type_are_refused(tmp_path, changes):
    with pytest.raises(ValueError, match="type"):
        write(tmp_path, **changes)


@given(st.text(max_size=300))
def test_a_slug_is_short_harmless_ascii_whatever_the_name(name):
    slug = masks.slug(name)
    assert 0 < len(slug) <= 80
    assert slug.isascii()
    assert not set(slug) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert slug[0] not in ".-"


def test_a_mask_path_names_day_micrograph_and_result():
    key = "0123456789abcdef" * 4
    day = date(2026, 3, 1)
    expected = "masks/2026-03-01/20260301_Au_0042.dm4-0123456789ab.h5"
    assert masks.mask_path(day, "20260301_Au_0042.dm4", key) == expected
    assert masks.mask_path(None, "\x1b[31m Größe/../x.tif", key).startswith("masks/undated/31m_Gr")


KILLED = """
import sys
from pathlib import Path
import numpy as np
from schema import masks
from tests.schema.examples import origin, result
labels = np.random.default_rng(0).integers(0, 9, (1024, 1024)).astype(np.uint16)
print("ready", flush=True)
while True:
    masks.write(Path(sys.argv[1]), "masks/undated/a.h5", labels=labels, probability=None,
                probability_pixel_size_nm=None, pixel_size_nm=None,
                record=result(), origin=origin())
"""


@pytest.mark.parametrize("looks", [0, 500, 4000])
def test_a_killed_writer_leaves_a_whole_file_or_none(tmp_path, looks):
    final = tmp_path / "masks" / "undated" / "a.h5"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"ready\n"
        wait_for_an_unfinished_file(tmp_path, looks)
        writer.send_signal(signal.SIGKILL)
    if final.exists():
        assert masks.read_record(final) == result()
        assert masks.read_labels(final).shape == (1024, 1024)
    assert durable.remove_unfinished(tmp_path) <= 1
    assert [found.name for found in tmp_path.rglob("*.h5")] in ([], ["a.h5"])


def wait_for_an_unfinished_file(folder, looks):
    deadline = time.monotonic() + 60
    while not list(folder.rglob(".unfinished-*")) and time.monotonic() < deadline:
        os.sched_yield()
    for _ in range(looks):
        folder.stat()
