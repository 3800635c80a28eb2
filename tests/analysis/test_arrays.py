"""A file of arrays gives numbers, or one sentence why not; never code, never more than it holds."""

import io
import zipfile

import numpy as np
import pytest

from analysis.arrays import read_arrays

MOST_BYTES = 100_000


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def zipped(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_numbers_come_back_under_their_names(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", one=np.arange(6).reshape(2, 3), flag=np.array(True))
    found = read_arrays(tmp_path / "a.npz", MOST_BYTES)
    assert np.array_equal(found["one"], [[0, 1, 2], [3, 4, 5]])
    assert found["flag"]


def test_objects_are_refused_unopened(tmp_path):
    path = zipped(tmp_path / "a.npz", {"a.npy": npy(np.array([{"a": 1}], object))})
    with pytest.raises(ValueError, match="no number"):
        read_arrays(path, MOST_BYTES)


def test_a_header_that_declares_a_terabyte_is_refused(tmp_path):
    stream = io.BytesIO()
    stated = {"descr": "<f8", "fortran_order": False, "shape": (10**11,)}
    np.lib.format.write_array_header_1_0(stream, stated)
    path = zipped(tmp_path / "a.npz", {"a.npy": stream.getvalue() + bytes(800)})
    with pytest.raises(ValueError, match="declares more numbers than it holds"):
        read_arrays(path, MOST_BYTES)


def test_what_unpacks_to_more_than_allowed_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(MOST_BYTES))
    assert (tmp_path / "a.npz").stat().st_size < MOST_BYTES
    with pytest.raises(ValueError, match="at most"):
        read_arrays(tmp_path / "a.npz", MOST_BYTES)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY", b"x" * 1000])
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="no file of arrays"):
        read_arrays(tmp_path / "a.npz", MOST_BYTES)


def test_no_cut_of_the_file_is_anything_but_a_value_error(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(40.0))
    whole = (tmp_path / "a.npz").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no file of arrays"):
            read_arrays(tmp_path / "cut.npz", MOST_BYTES)
