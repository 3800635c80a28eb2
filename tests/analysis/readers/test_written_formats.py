"""What is written by hand is read back: pixels as displayed, frames, settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from analysis.errors import ErrorCode, NotAMicrograph
from analysis.micrograph import CalibrationSource, ImagingMode
from analysis.readers import pixel_sha256, read_micrographs
from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from tests.analysis.readers.samples import (
    DM_COLOUR,
    DM_COMPLEX,
    PIXEL_SIZE_NM,
    VELOX_STEM,
    counts,
    refusal_of,
    write_dm3,
    write_emi,
    write_every_family,
    write_png,
    write_ser,
    write_tvips,
    write_velox,
)

WRITERS: dict[str, Callable[..., None]] = {
    "a.tif": write_tiff,
    "a.mrc": write_mrc,
    "a.emd": write_ncem_emd,
}


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_written_micrograph_reads_back_as_it_was(tmp_path: Path, name: str, dtype: str) -> None:
    image = counts(96, 128, dtype=dtype)
    WRITERS[name](tmp_path / name, image, PIXEL_SIZE_NM)
    (micrograph,) = read_micrographs(tmp_path / name)
    assert np.array_equal(micrograph.image, image)
    assert micrograph.image.dtype == dtype
    assert micrograph.calibration.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM, rel=1e-5)
    assert micrograph.calibration.source is CalibrationSource.FILE
    assert micrograph.acquisition.imaging_mode is ImagingMode.UNKNOWN
    assert micrograph.source.frame_index is None
    assert micrograph.suspect is None


def test_the_same_picture_has_one_hash_in_every_format(tmp_path: Path) -> None:
    image = counts(64, 80)
    hashes = set()
    for path in write_every_family(tmp_path, image):
        (micrograph,) = read_micrographs(path)
        assert np.array_equal(micrograph.image, image), path.name
        hashes.add(micrograph.pixel_sha256)
    assert hashes == {pixel_sha256(image)}


def test_the_hash_tells_shape_and_dtype_apart() -> None:
    image = counts(32, 64)
    others = [image.reshape(64, 32), image.astype(np.int16), image + np.uint16(1)]
    assert pixel_sha256(image) not in {pixel_sha256(other) for other in others}


def test_byte_order_does_not_change_the_picture(tmp_path: Path) -> None:
    image = counts(64, 64)
    tifffile.imwrite(tmp_path / "big.tif", image, byteorder=">")
    tifffile.imwrite(tmp_path / "little.tif", image, byteorder="<")
    (big,), (little,) = (read_micrographs(tmp_path / n) for n in ("big.tif", "little.tif"))
    assert big.pixel_sha256 == little.pixel_sha256


@pytest.mark.parametrize("name", ["a.tif", "a.mrc"])
def test_each_frame_of_a_series_is_one_micrograph(tmp_path: Path, name: str) -> None:
    frames = counts(4, 48, 64)
    WRITERS[name](tmp_path / name, frames, PIXEL_SIZE_NM)
    read = list(read_micrographs(tmp_path / name))
    assert [micrograph.source.frame_index for micrograph in read] == [0, 1, 2, 3]
    assert {micrograph.source.frame_count for micrograph in read} == {4}
    for frame, micrograph in zip(frames, read, strict=True):
        assert np.array_equal(micrograph.image, frame)


def test_a_multipage_tiff_of_camera_frames_is_a_series(tmp_path: Path) -> None:
    frames = counts(3, 48, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in frames:
            writer.write(frame, contiguous=False)
    read = [micrograph.image for micrograph in read_micrographs(tmp_path / "a.tif")]
    assert np.array_equal(read, frames)


def test_a_double_becomes_single_precision(tmp_path: Path) -> None:
    write_ncem_emd(tmp_path / "a.emd", counts(64, 64, dtype="float64") / 7, PIXEL_SIZE_NM)
    (micrograph,) = read_micrographs(tmp_path / "a.emd")
    assert micrograph.image.dtype == np.float32


# ── mrc ──────────────────────────────────────────────────────────────────────


def test_rows_of_an_mrc_are_turned_to_the_top(tmp_path: Path) -> None:
    image = counts(64, 64, dtype="float32")
    write_mrc(tmp_path / "a.mrc", image, PIXEL_SIZE_NM)
    stored = np.fromfile(tmp_path / "a.mrc", "<f4", offset=1024).reshape(64, 64)
    (micrograph,) = read_micrographs(tmp_path / "a.mrc")
    assert np.array_equal(micrograph.image[0], stored[-1])


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32"])
def test_every_mode_of_mrc_reads_back(tmp_path: Path, dtype: str) -> None:
    image = counts(40, 56, dtype=dtype)
    write_mrc(tmp_path / "a.mrc", image, PIXEL_SIZE_NM)
    (micrograph,) = read_micrographs(tmp_path / "a.mrc")
    assert micrograph.image.dtype == dtype
    assert np.array_equal(micrograph.image, image)


def test_bytes_above_127_of_an_mrc_are_unsigned(tmp_path: Path) -> None:
    """Older programs store unsigned bytes as mode 0; the maximum in the header tells."""
    write_mrc(tmp_path / "a.mrc", counts(40, 40, dtype="int8"), PIXEL_SIZE_NM)
    content = bytearray((tmp_path / "a.mrc").read_bytes())
    content[80:84] = np.float32(250).tobytes()  # DMAX
    content[-1] = 250
    (tmp_path / "a.mrc").write_bytes(content)
    (micrograph,) = read_micrographs(tmp_path / "a.mrc")
    assert micrograph.image.dtype == np.uint8
    assert micrograph.image.max() == 250


def test_a_fourier_transform_in_mrc_is_refused(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", counts(40, 40, dtype="complex64"), PIXEL_SIZE_NM)
    assert refusal_of(tmp_path / "a.mrc").code is ErrorCode.COMPLEX_VALUED


# ── dm ───────────────────────────────────────────────────────────────────────


def test_a_stack_of_digitalmicrograph_is_calibrated_by_x_and_y(tmp_path: Path) -> None:
    frames = counts(3, 48, 64)
    write_dm3(tmp_path / "a.dm3", frames, units=("nm", "nm", "s"))
    read = list(read_micrographs(tmp_path / "a.dm3"))
    assert np.array_equal([micrograph.image for micrograph in read], frames)
    assert [micrograph.source.frame_index for micrograph in read] == [0, 1, 2]
    assert read[0].calibration.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM)


def test_digitalmicrograph_states_a_tem_image(tmp_path: Path) -> None:
    tags = {
        "Microscope Info": {
            "Illumination Mode": "TEM",
            "Imaging Mode": "IMAGING",
            "Voltage": 300_000.0,
            "Indicated Magnification": 400_000.0,
            "Name": "FEI Titan",
        },
        "DataBar": {
            "Acquisition Date": "9/13/2020",
            "Acquisition Time": "2:26:40 PM",
            "Device Name": "OneView",
            "Exposure Time (s)": 0.5,
        },
    }
    write_dm3(tmp_path / "a.dm3", counts(64, 64), tags=tags)
    (micrograph,) = read_micrographs(tmp_path / "a.dm3")
    stated = micrograph.acquisition
    assert stated.imaging_mode is ImagingMode.TEM
    assert stated.acquired_local == datetime.fromisoformat("2020-09-13T14:26:40")
    assert (stated.high_tension_kv, stated.magnification) == (300, 400_000)
    assert (stated.exposure_s, stated.detector) == (0.5, "OneView")
    assert stated.instrument == "FEI Titan"
    assert micrograph.source.signal_title == "Au"


@pytest.mark.parametrize(
    ("date", "ticks", "local"),
    [
        ("7/8/2020", None, None),  # July or August
        ("7/8/2020", 132413056000000000.0, "2020-08-07T14:26:40"),
        ("13-Sep-20", None, "2020-09-13T14:26:40"),
        ("yesterday", None, None),
    ],
)
def test_a_date_is_taken_where_it_has_one_meaning(
    tmp_path: Path, date: str, ticks: float | None, local: str | None
) -> None:
    bar: dict[str, object] = {"Acquisition Date": date, "Acquisition Time": "2:26:40 PM"}
    if ticks is not None:
        bar["Acquisition Time (OS)"] = ticks
    write_dm3(tmp_path / "a.dm3", counts(64, 64), tags={"DataBar": bar})
    (micrograph,) = read_micrographs(tmp_path / "a.dm3")
    expected = None if local is None else datetime.fromisoformat(local)
    assert micrograph.acquisition.acquired_local == expected


@pytest.mark.parametrize(
    ("microscope", "mode"),
    [
        ({"Operation Mode": "SCANNING"}, ImagingMode.STEM),
        ({"Illumination Mode": "STEM", "Imaging Mode": "DIFFRACTION"}, ImagingMode.STEM),
        ({"Illumination Mode": "TEM"}, ImagingMode.TEM),
        ({"Operation Mode": "IMAGING"}, ImagingMode.UNKNOWN),
        ({}, ImagingMode.UNKNOWN),
    ],
)
def test_the_mode_of_digitalmicrograph_is_the_illuminations(
    tmp_path: Path, microscope: dict[str, str], mode: ImagingMode
) -> None:
    write_dm3(tmp_path / "a.dm3", counts(64, 64), tags={"Microscope Info": microscope})
    (micrograph,) = read_micrographs(tmp_path / "a.dm3")
    assert micrograph.acquisition.imaging_mode is mode


@pytest.mark.parametrize(
    ("units", "tags", "code"),
    [
        (("1/nm", "1/nm"), {}, ErrorCode.DIFFRACTION),
        (("eV", "nm"), {}, ErrorCode.SPECTRUM),
        (("nm", "nm"), {"Meta Data": {"Format": "Spectrum image"}}, ErrorCode.SPECTRUM),
        (
            ("nm", "nm"),
            {"Microscope Info": {"Illumination Mode": "TEM", "Imaging Mode": "DIFFRACTION"}},
            ErrorCode.DIFFRACTION,
        ),
    ],
)
def test_digitalmicrograph_says_what_is_no_image(
    tmp_path: Path, units: tuple[str, ...], tags: dict[str, object], code: ErrorCode
) -> None:
    write_dm3(tmp_path / "a.dm3", counts(64, 64), units, tags)
    assert refusal_of(tmp_path / "a.dm3").code is code


def test_colour_of_digitalmicrograph_may_be_grey(tmp_path: Path) -> None:
    grey = counts(64, 80, dtype="uint8")
    write_dm3(tmp_path / "grey.dm3", np.repeat(grey[..., None], 4, 2), data_type=DM_COLOUR)
    write_dm3(tmp_path / "colour.dm3", counts(64, 80, 4, dtype="uint8"), data_type=DM_COLOUR)
    (micrograph,) = read_micrographs(tmp_path / "grey.dm3")
    assert np.array_equal(micrograph.image, grey)
    assert refusal_of(tmp_path / "colour.dm3").code is ErrorCode.COLOUR


def test_a_fourier_transform_of_digitalmicrograph_is_refused(tmp_path: Path) -> None:
    write_dm3(tmp_path / "a.dm3", counts(64, 64), data_type=DM_COMPLEX)
    assert refusal_of(tmp_path / "a.dm3").code is ErrorCode.COMPLEX_VALUED


# ── tia ──────────────────────────────────────────────────────────────────────


def test_a_tem_series_takes_its_settings_from_the_emi(tmp_path: Path) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64))
    write_emi(tmp_path / "Au.emi", "TEM nP SA Zoom Image")
    (micrograph,) = read_micrographs(tmp_path / "Au_1.ser")
    assert micrograph.calibration.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM)
    stated = micrograph.acquisition
    assert stated.imaging_mode is ImagingMode.TEM
    assert stated.acquired_at_utc == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert stated.acquired_local == datetime.fromisoformat("2020-09-13T14:26:40")
    assert (stated.high_tension_kv, stated.magnification) == (300, 5e5)
    assert (stated.exposure_s, stated.defocus_nm) == (0.25, pytest.approx(-50))
    assert (stated.instrument, stated.detector) == ("Titan", "BM-Ceta")


def test_a_series_without_its_emi_leaves_the_mode_open(tmp_path: Path) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64))
    (micrograph,) = read_micrographs(tmp_path / "Au_1.ser")
    assert micrograph.acquisition.imaging_mode is ImagingMode.UNKNOWN


@pytest.mark.parametrize("settings", [b"", b"<ObjectInfo><Root>", b"<ObjectInfo><a></ObjectInfo>"])
def test_an_unfinished_emi_states_nothing(tmp_path: Path, settings: bytes) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64))
    (tmp_path / "Au.emi").write_bytes(settings)
    (micrograph,) = read_micrographs(tmp_path / "Au_1.ser")
    assert micrograph.acquisition.imaging_mode is ImagingMode.UNKNOWN


@pytest.mark.parametrize(
    ("mode", "camera"),
    [("TEM nP SA Zoom Diffraction", "BM-Ceta"), ("STEM nP SA Zoom Image", "BM-Ceta")],
)
def test_a_camera_behind_a_focused_probe_or_in_diffraction_is_refused(
    tmp_path: Path, mode: str, camera: str
) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64))
    write_emi(tmp_path / "Au.emi", mode, camera)
    assert refusal_of(tmp_path / "Au_1.ser").code is ErrorCode.DIFFRACTION


def test_a_scanned_image_is_stem_although_the_projector_stands_in_diffraction(
    tmp_path: Path,
) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64))
    write_emi(tmp_path / "Au.emi", "STEM nP SA Zoom Diffraction", camera="")
    (micrograph,) = read_micrographs(tmp_path / "Au_1.ser")
    assert micrograph.acquisition.imaging_mode is ImagingMode.STEM


def test_steps_of_one_over_metre_are_a_diffraction_pattern(tmp_path: Path) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64), pixel_size_nm=1e8 * 1e9)
    assert refusal_of(tmp_path / "Au_1.ser").code is ErrorCode.DIFFRACTION


def test_a_stopped_series_gives_its_valid_frames_marked(tmp_path: Path) -> None:
    frames = counts(3, 64, 64)
    write_ser(tmp_path / "Au_1.ser", frames, declared=10)
    read = list(read_micrographs(tmp_path / "Au_1.ser"))
    assert [micrograph.source.frame_index for micrograph in read] == [0, 1, 2]
    assert {micrograph.suspect for micrograph in read} == {"3 of 10 frames were recorded"}
    assert np.array_equal([micrograph.image for micrograph in read], frames)


def test_spectra_of_tia_are_refused(tmp_path: Path) -> None:
    write_ser(tmp_path / "Au_1.ser", counts(1, 64, 64), data_type_id=0x4120)
    assert refusal_of(tmp_path / "Au_1.ser").code is ErrorCode.SPECTRUM


# ── velox ────────────────────────────────────────────────────────────────────


def test_velox_states_a_tem_image(tmp_path: Path) -> None:
    write_velox(tmp_path / "a.emd", {"BM-Ceta": counts(64, 64)})
    (micrograph,) = read_micrographs(tmp_path / "a.emd")
    stated = micrograph.acquisition
    assert stated.imaging_mode is ImagingMode.TEM
    assert stated.acquired_at_utc == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert (stated.high_tension_kv, stated.exposure_s) == (300, 0.4)
    assert stated.defocus_nm == pytest.approx(-50)
    assert (stated.instrument, stated.detector) == ("Titan", "BM-Ceta")


def test_each_detector_of_velox_is_a_signal(tmp_path: Path) -> None:
    images = {"BF": counts(64, 64, seed=1), "HAADF": counts(64, 64, seed=2)}
    write_velox(tmp_path / "a.emd", images, VELOX_STEM)
    read = list(read_micrographs(tmp_path / "a.emd"))
    assert [m.source.signal_index for m in read] == [0, 1]
    assert [m.source.signal_title for m in read] == ["BF", "HAADF"]
    assert {m.acquisition.imaging_mode for m in read} == {ImagingMode.STEM}


def test_a_detector_that_saw_nothing_does_not_refuse_the_others(tmp_path: Path) -> None:
    images = {"BF": np.zeros((64, 64), np.uint16), "HAADF": counts(64, 64)}
    write_velox(tmp_path / "a.emd", images, VELOX_STEM)
    (micrograph,) = read_micrographs(tmp_path / "a.emd")
    assert micrograph.source.signal_index == 1


def test_frames_of_velox_lie_along_the_last_axis(tmp_path: Path) -> None:
    frames = counts(64, 48, 3)
    write_velox(tmp_path / "a.emd", {"BM-Ceta": frames})
    read = [micrograph.image for micrograph in read_micrographs(tmp_path / "a.emd")]
    assert np.array_equal(np.stack(read, axis=-1), frames)


@pytest.mark.parametrize(
    ("optics", "unit"),
    [({"OperatingMode": "1", "ProjectorMode": "1"}, "m"), ({"OperatingMode": "2"}, "1/m")],
)
def test_diffraction_of_velox_is_refused(tmp_path: Path, optics: dict[str, str], unit: str) -> None:
    write_velox(tmp_path / "a.emd", {"BM-Ceta": counts(64, 64)}, optics, unit)
    assert refusal_of(tmp_path / "a.emd").code is ErrorCode.DIFFRACTION


def test_a_name_comes_as_one_printable_line(tmp_path: Path) -> None:
    write_velox(tmp_path / "a.emd", {"Ceta\x1b[31m\n" + 500 * "x": counts(64, 64)})
    (micrograph,) = read_micrographs(tmp_path / "a.emd")
    for found in (micrograph.source.signal_title, micrograph.acquisition.detector):
        assert found is not None
        assert found.isprintable()
        assert len(found) <= 200


# ── tvips, h5, png ───────────────────────────────────────────────────────────


def test_a_stream_goes_on_in_its_next_part(tmp_path: Path) -> None:
    frames = counts(5, 48, 64)
    write_tvips(tmp_path / "a_000.tvips", frames[:3])
    write_tvips(tmp_path / "whole.tvips", frames[3:])
    rest = (tmp_path / "whole.tvips").read_bytes()[256:]  # further parts have no head
    (tmp_path / "whole.tvips").unlink()
    (tmp_path / "a_001.tvips").write_bytes(rest)
    read = list(read_micrographs(tmp_path / "a_000.tvips"))
    assert np.array_equal([micrograph.image for micrograph in read], frames)
    assert read[0].calibration.pixel_size_nm is None  # 15.6 µm is the pixel of the chip
    assert read[0].acquisition.high_tension_kv == 200


def test_a_diffraction_stream_is_refused(tmp_path: Path) -> None:
    write_tvips(tmp_path / "a_000.tvips", counts(2, 64, 64), mode=2)
    assert refusal_of(tmp_path / "a_000.tvips").code is ErrorCode.DIFFRACTION


def test_hdf5_with_two_arrays_does_not_say_which_is_the_image(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"], file["two"] = counts(64, 64), counts(64, 64)
    assert refusal_of(tmp_path / "a.h5").code is ErrorCode.NO_IMAGE


def test_rgb_of_equal_channels_is_grey(tmp_path: Path) -> None:
    grey = counts(64, 80, dtype="uint8")
    rgb = np.repeat(grey[..., None], 3, axis=2)
    write_png(tmp_path / "rgb.png", rgb)
    rgba = np.dstack([rgb, np.full_like(grey, 255)])
    write_png(tmp_path / "rgba.png", rgba)
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(np.dstack([grey, rgba[..., 3]]), "LA").save(tmp_path / "la.png")
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planes.tif", np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate"
    )
    for path in tmp_path.iterdir():
        (micrograph,) = read_micrographs(path)
        assert np.array_equal(micrograph.image, grey), path.name


def test_deep_rgb_of_equal_channels_keeps_its_depth(tmp_path: Path) -> None:
    grey = counts(64, 80) * np.uint16(500)
    cv2.imwrite(str(tmp_path / "a.png"), np.repeat(grey[..., None], 3, axis=2))
    (micrograph,) = read_micrographs(tmp_path / "a.png")
    assert np.array_equal(micrograph.image, grey)


def test_colour_is_refused(tmp_path: Path) -> None:
    rgb = counts(64, 80, 3, dtype="uint8")
    write_png(tmp_path / "a.png", rgb)
    Image.fromarray(rgb).quantize(16).save(tmp_path / "palette.png")
    cv2.imwrite(str(tmp_path / "deep.png"), rgb.astype(np.uint16) * 257)
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    for path in tmp_path.iterdir():
        refusal = refusal_of(path)
        assert refusal.code is ErrorCode.COLOUR
        assert isinstance(refusal, NotAMicrograph)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "zstd"])
def test_a_compressed_tiff_reads_back(tmp_path: Path, compression: str) -> None:
    pytest.importorskip("imagecodecs", reason="decodes what cameras compress; it is in the locks")
    image = counts(64, 80)
    tifffile.imwrite(tmp_path / "a.tif", image, compression=compression)
    (micrograph,) = read_micrographs(tmp_path / "a.tif")
    assert np.array_equal(micrograph.image, image)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_refused(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counts(64, 64, dtype="complex64"))
    write_ncem_emd(tmp_path / "a.emd", counts(64, 64, dtype=dtype), PIXEL_SIZE_NM)
    for path in tmp_path.iterdir():
        assert refusal_of(path).code is ErrorCode.COMPLEX_VALUED
