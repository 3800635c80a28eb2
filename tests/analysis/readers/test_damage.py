"""No bytes, however they came about, pass for a good micrograph or stop the stream."""

import errno
import resource
import struct
import warnings
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import Micrograph
from analysis.readers import MICROGRAPH_SUFFIXES, ReadLimits, micrographs, read_micrographs
from analysis.readers.png import SIGNATURE
from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from tests.analysis.readers.samples import (
    PIXEL_SIZE_NM,
    counts,
    refusal_of,
    write_dm3,
    write_every_family,
    write_png,
    write_ser,
    write_tvips,
    write_velox,
)

IMAGE = counts(96, 128)
CUTS = np.arange(5, 100, 5) / 100
REAL_FILES = (
    "temul__example_Se_implanted_MoS2.dm3",
    "particlespy__JEOL_HAADF_Image.dm4",
    "ncem__Camera_Ceta_Imaging_Micro.emd",
    "ncem__Acquisition_18.emd",
    "ncem__16_STOimage_1.ser",
    "ncem__temp.mrc",
    "rsciio__64x64x5_TEM_preview_1.ser",
)


def outcome(path: Path) -> list[Micrograph] | AnalysisError:
    """Micrographs of a file, or the error by which it is refused."""
    try:
        return list(read_micrographs(path))
    except AnalysisError as error:
        return error


def assert_flagged(path: Path, whole: list[Micrograph], what: str) -> None:
    """The damaged file is refused for now, or suspect, or after all as good as the whole one."""
    found = outcome(path)
    if isinstance(found, AnalysisError):
        assert isinstance(found, UnreadableYet), f"{what}: {found}"
        return
    stated = {(each.pixel_sha256, each.calibration) for each in whole}
    for micrograph in found:
        intact = (micrograph.pixel_sha256, micrograph.calibration) in stated
        assert intact or micrograph.suspect, f"{what}: silently wrong"
    assert len(found) == len(whole) or found[0].suspect, f"{what}: silently short"


def damaged(content: bytes, cut: float) -> dict[str, bytes]:
    """The file as it looks while it is written: short, or of full size with a tail of zeros."""
    kept = content[: int(len(content) * cut)]
    return {"truncated": kept, "zero tail": kept + bytes(len(content) - len(kept))}


def test_a_file_cut_anywhere_is_never_silently_wrong(tmp_path: Path) -> None:
    for path in write_every_family(tmp_path, IMAGE):
        whole, content = list(read_micrographs(path)), path.read_bytes()
        for cut in CUTS:
            for how, remains in damaged(content, cut).items():
                path.write_bytes(remains)
                assert_flagged(path, whole, f"{path.name} {how} at {cut:.0%}")


def test_a_truncated_file_is_never_a_micrograph(tmp_path: Path) -> None:
    for path in write_every_family(tmp_path, IMAGE):
        content = path.read_bytes()
        for cut in CUTS:
            path.write_bytes(content[: int(len(content) * cut)])
            assert isinstance(refusal_of(path), UnreadableYet), f"{path.name} at {cut:.0%}"


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.ser", "a_000.tvips"])
def test_a_file_that_ends_within_its_pixels_is_called_truncated(tmp_path: Path, name: str) -> None:
    write_every_family(tmp_path, IMAGE)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert refusal_of(tmp_path / name).code is ErrorCode.TRUNCATED


def test_a_stream_that_ends_within_a_frame_is_called_truncated(tmp_path: Path) -> None:
    write_tvips(tmp_path / "a_000.tvips", counts(3, 64, 64))
    content = (tmp_path / "a_000.tvips").read_bytes()
    (tmp_path / "a_000.tvips").write_bytes(content[:-1])
    assert refusal_of(tmp_path / "a_000.tvips").code is ErrorCode.TRUNCATED


@pytest.mark.parametrize("name", ["a.tif", "pages.tif", "a.mrc", "a.ser", "a_000.tvips", "a.emd"])
def test_a_series_cut_anywhere_is_never_silently_wrong(tmp_path: Path, name: str) -> None:
    frames, path = counts(5, 48, 64), tmp_path / name
    {
        "a.tif": lambda: write_tiff(path, frames, PIXEL_SIZE_NM),
        "pages.tif": lambda: [tifffile.imwrite(path, frame, append=True) for frame in frames],
        "a.mrc": lambda: write_mrc(path, frames, PIXEL_SIZE_NM),
        "a.ser": lambda: write_ser(path, frames),
        "a_000.tvips": lambda: write_tvips(path, frames),
        "a.emd": lambda: write_velox(path, {"BM-Ceta": np.moveaxis(frames, 0, 2)}),
    }[name]()
    whole, content = list(read_micrographs(path)), path.read_bytes()
    for cut in CUTS:
        for how, remains in damaged(content, cut).items():
            path.write_bytes(remains)
            assert_flagged(path, whole, f"{name} {how} at {cut:.0%}")


@pytest.mark.parametrize("name", REAL_FILES)
def test_a_real_file_cut_anywhere_is_never_silently_wrong(
    tmp_path: Path, shared_data: Path, name: str
) -> None:
    source, path = shared_data / "formats" / name, tmp_path / name
    whole, content = list(read_micrographs(source)), source.read_bytes()
    for cut in CUTS[1::2]:
        for how, remains in damaged(content, cut).items():
            path.write_bytes(remains)
            assert_flagged(path, whole, f"{name} {how} at {cut:.0%}")


def test_a_tail_of_zeros_is_suspect_and_not_refused(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[-2:] = 0
    write_tiff(tmp_path / "a.tif", image, PIXEL_SIZE_NM)
    (micrograph,) = read_micrographs(tmp_path / "a.tif")
    assert micrograph.suspect is not None


def test_a_tail_is_looked_for_where_the_file_ends(tmp_path: Path) -> None:
    """The last rows of an MRC are the top ones of the picture."""
    top, bottom = IMAGE.copy(), IMAGE.copy()
    top[:2], bottom[-2:] = 0, 0
    for name, image in {"top.mrc": top, "bottom.mrc": bottom}.items():
        write_mrc(tmp_path / name, image, PIXEL_SIZE_NM)
    (of_top,), (of_bottom,) = (read_micrographs(tmp_path / f"{n}.mrc") for n in ("top", "bottom"))
    assert of_top.suspect is not None
    assert of_bottom.suspect is None


def test_blocks_never_written_are_suspect(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("image", (128, 128), "u2", chunks=(32, 32))
        dataset[:96] = counts(96, 128)
        dataset[96:, :64] = counts(32, 64)
    (micrograph,) = read_micrographs(tmp_path / "a.h5")
    assert micrograph.suspect == "2 of 16 blocks of the image were never written"


def test_a_blank_frame_is_left_out_and_the_index_kept(tmp_path: Path) -> None:
    frames = counts(4, 48, 64)
    frames[1] = 7
    write_mrc(tmp_path / "a.mrc", frames, PIXEL_SIZE_NM)
    read = list(read_micrographs(tmp_path / "a.mrc"))
    assert [micrograph.source.frame_index for micrograph in read] == [0, 2, 3]
    assert {micrograph.suspect for micrograph in read} == {None}


# ── content ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("suffix", sorted(MICROGRAPH_SUFFIXES - {".emi", ".mdoc"}))
def test_an_empty_file_says_so(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    expected = {ErrorCode.EMPTY_FILE, ErrorCode.ARCHIVE}
    assert refusal_of(tmp_path / f"a{suffix}").code in expected


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_a_constant_image_is_refused(tmp_path: Path, value: int) -> None:
    for path in write_every_family(tmp_path, np.full((64, 64), value, np.uint16)):
        assert refusal_of(path).code is ErrorCode.CONSTANT, path.name


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fraction", [0.001, 1.0])
def test_numbers_that_are_none_are_refused(tmp_path: Path, poison: float, fraction: float) -> None:
    image = counts(64, 64, dtype="float32")
    image.ravel()[: max(1, int(image.size * fraction))] = poison
    write_tiff(tmp_path / "a.tif", image, PIXEL_SIZE_NM)
    with warnings.catch_warnings(action="ignore"):  # mrcfile warns of what it writes
        write_mrc(tmp_path / "a.mrc", image, PIXEL_SIZE_NM)
    for path in tmp_path.iterdir():
        assert refusal_of(path).code is ErrorCode.NOT_FINITE


def test_a_double_too_large_for_single_precision_is_not_finite(tmp_path: Path) -> None:
    write_ncem_emd(tmp_path / "a.emd", counts(64, 64, dtype="float64") * 1e300, PIXEL_SIZE_NM)
    assert refusal_of(tmp_path / "a.emd").code is ErrorCode.NOT_FINITE


@pytest.mark.parametrize(
    ("shape", "code"),
    [((1, 1), "too_small"), ((31, 64), "too_small"), ((64, 31), "too_small"), ((32, 32), None)],
)
def test_an_image_has_at_least_32_pixels_a_side(
    tmp_path: Path, shape: tuple[int, int], code: str | None
) -> None:
    for path in write_every_family(tmp_path, counts(*shape)):
        if code is None:
            assert len(list(read_micrographs(path))) == 1
        else:
            assert refusal_of(path).code == code, path.name


def test_a_line_of_numbers_is_no_image(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("data/line")
        group.attrs["emd_group_type"] = 1
        group["data"] = counts(500)
    assert refusal_of(tmp_path / "a.emd").code is ErrorCode.NOT_TWO_DIMENSIONAL


@pytest.mark.parametrize("suffix", sorted(micrographs.MODULE_OF_SUFFIX))
def test_a_wrong_suffix_gives_one_plain_sentence(tmp_path: Path, suffix: str) -> None:
    write_png(tmp_path / "real.png", IMAGE)
    contents = {
        "text": b"Dear diary, today the filament broke.\n" * 60,
        "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 8,
        "png": b"" if suffix == ".png" else (tmp_path / "real.png").read_bytes(),
    }
    for name, content in contents.items():
        if content:
            (tmp_path / f"{name}{suffix}").write_bytes(content)
            refusal = refusal_of(tmp_path / f"{name}{suffix}")
            assert refusal.code in {ErrorCode.UNREADABLE, ErrorCode.TRUNCATED}
            assert str(refusal).endswith(".")
            assert "\n" not in str(refusal)


@pytest.mark.parametrize("name", ["a.zip", "a.tif.gz", "a.7z"])
def test_an_archive_is_refused_before_it_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    refusal = refusal_of(tmp_path / name)
    assert (refusal.code, type(refusal)) == (ErrorCode.ARCHIVE, NotAMicrograph)


@pytest.mark.parametrize("name", ["a.emi", "a.mrc.mdoc"])
def test_settings_alone_hold_no_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<ObjectInfo></ObjectInfo>")
    assert refusal_of(tmp_path / name).code is ErrorCode.METADATA_ONLY


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"1")
    assert refusal_of(tmp_path / "a.xyz").code is ErrorCode.UNKNOWN_SUFFIX


def test_a_missing_file_is_the_worlds_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_micrographs(tmp_path / "a.tif"))


def test_memory_that_is_short_is_the_worlds_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiff(tmp_path / "a.tif", IMAGE, PIXEL_SIZE_NM)

    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tifffile.TiffFile, "__init__", no_memory)
    with pytest.raises(OSError, match="memory") as caught:
        list(read_micrographs(tmp_path / "a.tif"))
    assert caught.value.errno == errno.ENOMEM


def test_the_parsers_own_error_stays_behind_ours(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"no TIFF")
    assert isinstance(refusal_of(tmp_path / "a.tif").__cause__, tifffile.TiffFileError)


def test_an_offset_that_no_file_reaches_is_the_files_fault(tmp_path: Path) -> None:
    write_ser(tmp_path / "a.ser", counts(1, 64, 64))
    content = bytearray((tmp_path / "a.ser").read_bytes())
    content[22:30] = struct.pack("<Q", 2**63 - 9)
    (tmp_path / "a.ser").write_bytes(content)
    assert refusal_of(tmp_path / "a.ser").code is ErrorCode.UNREADABLE


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path: Path) -> None:
    """Its pixels have a checksum that the libraries do not look at."""
    write_png(tmp_path / "a.png", IMAGE)
    content = (tmp_path / "a.png").read_bytes()
    for at in range(len(SIGNATURE), len(content), 101):
        flipped = bytearray(content)
        flipped[at] ^= 1
        (tmp_path / "a.png").write_bytes(flipped)
        refusal_of(tmp_path / "a.png")


def test_a_tiff_whose_strips_hold_another_number_of_bytes_is_suspect(tmp_path: Path) -> None:
    """Where the bits of a pixel are lost, a TIFF has one, and half of the image would be shown."""
    write_tiff(tmp_path / "a.tif", IMAGE, PIXEL_SIZE_NM)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    bits_per_sample = content.index(struct.pack("<HHIH", 258, 3, 1, 16))
    content[bits_per_sample + 8] = 8
    (tmp_path / "a.tif").write_bytes(content)
    (micrograph,) = read_micrographs(tmp_path / "a.tif")
    assert micrograph.suspect == "the page is 12288 bytes large, and its strips hold 24576"


def test_an_error_with_words_for_a_number_is_the_files_fault(tmp_path: Path) -> None:
    """RosettaSciIO raises OSError("...", 0) for a tag that counts its numbers wrongly."""
    write_dm3(tmp_path / "a.dm3", IMAGE)
    content = (tmp_path / "a.dm3").read_bytes()
    name = content.index(b"DataType") + len(b"DataType%%%%")
    (tmp_path / "a.dm3").write_bytes(content[:name] + bytes(4) + content[name + 4 :])
    assert refusal_of(tmp_path / "a.dm3").code is ErrorCode.UNREADABLE


# ── bombs ────────────────────────────────────────────────────────────────────


def test_a_header_that_lies_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "sides.mrc") as file:
        file.set_data(IMAGE)
    content = bytearray((tmp_path / "sides.mrc").read_bytes())
    for name, sides in {"sides": (2**30, 2**30, 1), "frames": (512, 512, 2**20),
                        "bytes": (16384, 16384, 64)}.items():  # fmt: skip
        content[:12] = struct.pack("<3i", *sides)
        (tmp_path / f"{name}.mrc").write_bytes(content)
    with h5py.File(tmp_path / "huge.emd", "w") as file:
        group = file.create_group("data/huge")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024))
    write_ser(tmp_path / "frames.ser", counts(1, 32, 32))
    ser = bytearray((tmp_path / "frames.ser").read_bytes())
    ser[14:22] = struct.pack("<II", 2**31, 2**31)
    (tmp_path / "frames.ser").write_bytes(ser)
    write_tvips(tmp_path / "a_000.tvips", counts(1, 32, 32))
    tvips = bytearray((tmp_path / "a_000.tvips").read_bytes())
    tvips[8:16] = struct.pack("<II", 2**31, 2**31)
    (tmp_path / "a_000.tvips").write_bytes(tvips)
    write_png(tmp_path / "a.png", IMAGE)
    png = bytearray((tmp_path / "a.png").read_bytes())
    png[16:24] = struct.pack(">II", 2**30, 2**30)
    (tmp_path / "a.png").write_bytes(png)
    (tmp_path / "a.tif").write_bytes(one_page_tiff(side=2**20, next_page=0))
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in tmp_path.iterdir():
        assert refusal_of(path).code is ErrorCode.TOO_LARGE, path.name
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before
    assert grown_kib < 256 * 1024


def test_what_expands_a_thousand_times_is_refused(tmp_path: Path) -> None:
    zeros = np.zeros((6000, 6000), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", zeros, compression="zlib")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=zeros, chunks=(1000, 1000), compression="gzip")
    for path in tmp_path.iterdir():
        assert refusal_of(path).code is ErrorCode.TOO_LARGE, path.name


def test_the_limits_are_the_callers(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", counts(4, 64, 64), PIXEL_SIZE_NM)
    for limits in (ReadLimits(side_px=63), ReadLimits(frames=3), ReadLimits(decoded_bytes=32767)):
        with pytest.raises(UnreadableYet) as caught:
            list(read_micrographs(tmp_path / "a.mrc", limits))
        assert caught.value.code is ErrorCode.TOO_LARGE
    assert len(list(read_micrographs(tmp_path / "a.mrc", ReadLimits(side_px=64, frames=4)))) == 4


def one_page_tiff(side: int, next_page: int) -> bytes:
    """A TIFF of one uncompressed page, whose chain of pages goes on where it is told to."""
    pixels = counts(64, 64, dtype="uint8").tobytes()
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    tags += [(278, side), (279, len(pixels))]
    page = struct.pack("<H", len(tags))
    page += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + page + struct.pack(
        "<I", next_page
    )  # fmt: skip


def test_pages_that_run_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "whole.tif").write_bytes(one_page_tiff(side=64, next_page=0))
    assert len(list(read_micrographs(tmp_path / "whole.tif"))) == 1
    page_at = 8 + 64 * 64
    (tmp_path / "circle.tif").write_bytes(one_page_tiff(side=64, next_page=page_at))
    empty_page = b"II*\0" + struct.pack("<IHI", 8, 0, 8) + bytes(8)
    (tmp_path / "empty.tif").write_bytes(empty_page)
    for name in ("circle.tif", "empty.tif"):
        assert refusal_of(tmp_path / name).code in {ErrorCode.UNREADABLE, ErrorCode.TRUNCATED}


def test_hdf5_that_leads_outside_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(bytes(range(256)) * 64)
    write_ncem_emd(tmp_path / "other.emd", IMAGE, PIXEL_SIZE_NM)
    with h5py.File(tmp_path / "link.emd", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "other.emd"), "/data")
    with h5py.File(tmp_path / "storage.h5", "w") as file:
        file.create_dataset("image", (64, 64), "u1", external=[(str(secret), 0, 4096)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((96, 128), "u2")
        layout[:] = h5py.VirtualSource(tmp_path / "other.emd", "data/simulated/data", (96, 128))
        file.create_virtual_dataset("image", layout)
    with h5py.File(tmp_path / "deep.emd", "w") as file:
        write_deep(file, tmp_path / "other.emd")
    for name in ("link.emd", "storage.h5", "virtual.h5", "deep.emd"):
        assert refusal_of(tmp_path / name).code is ErrorCode.LINKS_OUTSIDE, name


def write_deep(file: h5py.File, other: Path) -> None:
    """A link to another file, below a good image and a group that contains itself."""
    group = file.create_group("data/good")
    group.attrs["emd_group_type"] = 1
    group["data"] = IMAGE
    file["data/good/again"] = file["data"]
    file["data/good/soft"] = h5py.SoftLink("/nowhere")
    file.create_group("data/good/deeper")["out"] = h5py.ExternalLink(str(other), "/")


def test_hdf5_that_contains_itself_ends(tmp_path: Path) -> None:
    write_ncem_emd(tmp_path / "a.emd", IMAGE, PIXEL_SIZE_NM)
    with h5py.File(tmp_path / "a.emd", "a") as file:
        file["data/simulated/again"] = file["data"]
        file["data/simulated/soft"] = h5py.SoftLink("/data")
    assert len(list(read_micrographs(tmp_path / "a.emd"))) == 1


def test_groups_nested_beyond_reason_are_refused_at_once(tmp_path: Path) -> None:
    """Each level costs HDF5 the whole way down to it."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group: h5py.Group = file
        for _ in range(200):
            group = group.create_group("d")
        group["image"] = IMAGE
    assert refusal_of(tmp_path / "a.h5").code is ErrorCode.TOO_LARGE


# ── anything ─────────────────────────────────────────────────────────────────

READ_SUFFIXES = sorted(micrographs.MODULE_OF_SUFFIX)
MAGICS = {
    ".dm3": struct.pack(">3I", 3, 4000, 1),
    ".dm4": struct.pack(">IQI", 4, 4000, 1),
    ".emd": b"\x89HDF\r\n\x1a\n",
    ".h5": b"\x89HDF\r\n\x1a\n",
    ".png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ".ser": struct.pack("<HHHII", 0x4949, 0x0197, 0x220, 0x4122, 0x4152),
    ".tif": b"II*\0\x08\0\0\0",
}


@given(suffix=st.sampled_from(READ_SUFFIXES), content=st.binary(min_size=1, max_size=4096),
       as_if_real=st.booleans())  # fmt: skip
def test_any_bytes_give_only_our_errors(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes, as_if_real: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any_000{suffix}"
    path.write_bytes((MAGICS.get(suffix, b"") if as_if_real else b"") + content)
    outcome(path)


@given(
    family=st.integers(0, 9),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_a_good_file_with_wrong_bytes_gives_only_our_errors(
    tmp_path_factory: pytest.TempPathFactory,
    flips: list[tuple[float, int]],
    family: int,
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    path = write_every_family(folder, counts(40, 48))[family]
    content = bytearray(path.read_bytes())
    for where, value in flips:
        # Headers are short and pixels many: half of the bytes fall on the first kilobyte.
        limit = len(content) if value % 2 else min(1024, len(content))
        content[int(where * limit)] = value
    path.write_bytes(content)
    outcome(path)
