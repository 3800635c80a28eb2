"""Every file in `formats/` as its own tags describe it.

The table was set up from the raw metadata, not from the readers: h5py for the JSON of Velox and the
axes of NCEM, the tags of each TIFF page, the element heads of each SER by `struct`, the MRC cell,
the tag tree of each DM file. Pixels are compared with RosettaSciIO's.
"""

import gzip
import importlib
import warnings
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import ErrorCode, NotAMicrograph, UnreadableYet
from analysis.micrograph import CalibrationSource, ImagingMode
from analysis.readers import companion_names, primary_of, read_micrographs
from tests.analysis.readers.samples import refusal_of

TEM, STEM, UNKNOWN = ImagingMode.TEM, ImagingMode.STEM, ImagingMode.UNKNOWN


@dataclass(frozen=True)
class Images:
    """What a file holds: frames, (H, W), pixel size in nm as its tags state it, mode."""

    count: int
    shape_px: tuple[int, int]
    pixel_size_nm: float
    imaging_mode: ImagingMode
    dtype: str


EXPECTED: dict[str, Images | ErrorCode] = {
    # Meta Data.Format = Spectrum, first axis in eV
    "ncem__08_carbon.dm3": ErrorCode.SPECTRUM,
    "pyTEMlib__AL-DFoffset0.00.dm3": ErrorCode.SPECTRUM,
    # Mode: STEM nP Mh Zoom Diffraction, no camera; CalibrationDelta 1.00127e-11 m
    "ncem__16_STOimage_1.ser": Images(1, (1024, 1024), 0.010012704, STEM, "uint16"),
    "ncem__16_STOimage.emi": ErrorCode.METADATA_ONLY,
    # dim1, dim2 in n_m; a group `microscope` without a mode
    "ncem__Acquisition_18.emd": Images(1, (1024, 1024), 0.0122465, UNKNOWN, "uint16"),
    "ncem__After_HAADF_130mm_1.ser": Images(1, (1024, 1024), 3.2703612, STEM, "uint16"),
    "ncem__After_HAADF_130mm.emi": ErrorCode.METADATA_ONLY,
    "ncem__After_LAABF_1.5m_1.ser": Images(1, (1024, 1024), 3.2703612, STEM, "uint16"),
    "ncem__After_LAABF_1.5m.emi": ErrorCode.METADATA_ONLY,
    # OperatingMode 1, ProjectorMode 1, PixelUnit 1/m
    "ncem__Camera_Ceta_Diffraction_Micro.emd": ErrorCode.DIFFRACTION,
    # OperatingMode 1, ProjectorMode 2
    "ncem__Camera_Ceta_Imaging_Micro.emd": Images(1, (512, 512), 3.1388371, TEM, "int16"),
    # OperatingMode 2: a scanned image; "Diffraction" in its name is the projector's
    "ncem__STEM_HAADF_Diffraction_Micro.emd": Images(1, (128, 128), 87.370796, STEM, "uint16"),
    # 2 pm, 3 nm, 4 um along x, y, z; 1 nm and 2 A along x, y
    "ncem__dmTest_3D_int16_64_65_66.dm4": ErrorCode.PIXELS_NOT_SQUARE,
    "ncem__dmTest_float32_nonSquare_diffPixelSize.dm3": ErrorCode.PIXELS_NOT_SQUARE,
    "ncem__dmTest_float32_nonSquare_diffPixelSize.dm4": ErrorCode.PIXELS_NOT_SQUARE,
    # 256 Å over 128 voxels, no MAP string
    "ncem__temp.mrc": Images(3, (128, 128), 0.2, UNKNOWN, "float32"),
    "particlespy__JEOL_HAADF_Image.dm4": Images(1, (112, 112), 1.2490136, STEM, "float32"),
    # 5 valid of 200 declared elements
    "rsciio__03_Scanning_Preview_1.ser": Images(5, (128, 128), 0.38435249, STEM, "uint16"),
    "rsciio__03_Scanning_Preview.emi": ErrorCode.METADATA_ONLY,
    # Mode: TEM uP SA Zoom Image
    "rsciio__128x128-TEM_search_1.ser": Images(1, (128, 128), 5.2612142, TEM, "int32"),
    "rsciio__128x128-TEM_search.emi": ErrorCode.METADATA_ONLY,
    "rsciio__128x128_TEM_acquire-sum1_1.ser": Images(1, (128, 128), 21.479318, TEM, "int32"),
    "rsciio__128x128_TEM_acquire-sum1.emi": ErrorCode.METADATA_ONLY,
    "rsciio__64x64_TEM_images_acquire_1.ser": Images(1, (64, 64), 6.2818336, TEM, "float32"),
    "rsciio__64x64_TEM_images_acquire.emi": ErrorCode.METADATA_ONLY,
    "rsciio__64x64x5_TEM_preview_1.ser": Images(5, (64, 64), 6.2818336, TEM, "float32"),
    "rsciio__64x64x5_TEM_preview.emi": ErrorCode.METADATA_ONLY,
    "rsciio__Fei_HAADF-UK_location.dm3": ErrorCode.TOO_SMALL,  # 16 x 4
    "rsciio__HAADFscan.mrc": ErrorCode.TOO_SMALL,  # 16 x 16
    "rsciio__JEOL-SightX-TEM-mag-dummy.tif.gz": ErrorCode.ARCHIVE,
    "rsciio__TVIPS_bin4.zip": ErrorCode.ARCHIVE,
    "rsciio__velox_emd_version11.zip": ErrorCode.ARCHIVE,
    "rsciio__fei_example_dpc_titles.emd": ErrorCode.TOO_SMALL,  # nine signals of 2 x 2
    "rsciio__fei_example_tem_stack.emd": ErrorCode.TOO_SMALL,  # two frames of 3 x 3
    # an image and a line plot; Illumination Mode STEM NANOPROBE
    "rsciio__multi_signal.dm3": Images(1, (512, 512), 0.017751578, STEM, "uint16"),
    # a colour preview and, with 2.39e-11 m a pixel, the image
    "rsciio__olympus_SIS.tif": Images(1, (101, 112), 0.023927918, UNKNOWN, "uint16"),
    "rsciio__test_STEM_image.dm3": Images(1, (68, 68), 0.24853802, STEM, "uint32"),
    "rsciio__test_dm_image_um_unit.dm3": Images(1, (68, 68), 168.67469, TEM, "int32"),
    "rsciio__test_fft_packed_complex8.dm4": ErrorCode.COMPLEX_VALUED,
    # tags 65003 and 65009: 0.16867 µm; its 72 dpi are no calibration
    "rsciio__test_loading_image_saved_with_DM.tif": Images(
        1, (68, 68), 168.67469, UNKNOWN, "int32"
    ),
    # 5.928571 pixels a micron
    "rsciio__test_loading_image_saved_with_imageJ.tif": Images(
        1, (68, 68), 168.67471, UNKNOWN, "float32"
    ),
    "temul__example_Au_nanoparticle.emd": Images(1, (2048, 2048), 0.0074984015, STEM, "uint16"),
    "temul__example_Se_implanted_MoS2.dm3": Images(1, (1024, 1024), 0.0126953125, STEM, "uint32"),
}
UNPACKED: dict[str, Images | ErrorCode] = {
    # TVIPS block: PixelSizeX 1.4208 nm, as the 7038270 pixels a cm say too
    "TVIPS_bin4.tif": Images(1, (1024, 1024), 1.4208037, UNKNOWN, "uint8"),
    "JEOL-SightX-TEM-mag-dummy.tif": ErrorCode.CONSTANT,  # its pixels are all zero
    "Test SI 16x16 215 kx.emd": ErrorCode.TOO_SMALL,
    "Test SI 16x16 ReducedData 215 kx.emd": ErrorCode.TOO_SMALL,
}
RETRIED = {ErrorCode.CONSTANT}


@pytest.fixture(scope="session")
def unpacked(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the content of the archives in `formats/`."""
    folder = tmp_path_factory.mktemp("unpacked")
    formats = shared_data / "formats"
    for archive in formats.glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    packed_tiff = formats / "rsciio__JEOL-SightX-TEM-mag-dummy.tif.gz"
    content = gzip.decompress(packed_tiff.read_bytes())
    (folder / "JEOL-SightX-TEM-mag-dummy.tif").write_bytes(content)
    return folder


def assert_as_expected(path: Path, expected: Images | ErrorCode) -> None:
    if isinstance(expected, ErrorCode):
        refusal = refusal_of(path)
        assert refusal.code is expected
        assert type(refusal) is (UnreadableYet if expected in RETRIED else NotAMicrograph)
        return
    read = list(read_micrographs(path))
    assert len(read) == expected.count
    for micrograph in read:
        assert micrograph.image.shape == expected.shape_px
        assert micrograph.image.dtype == expected.dtype
        found_nm = micrograph.calibration.pixel_size_nm
        assert found_nm == pytest.approx(expected.pixel_size_nm, rel=1e-6, abs=3e-8)
        assert micrograph.calibration.source is CalibrationSource.FILE
        assert micrograph.acquisition.imaging_mode is expected.imaging_mode


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_is_read_as_its_tags_say(shared_data: Path, name: str) -> None:
    assert_as_expected(shared_data / "formats" / name, EXPECTED[name])


@pytest.mark.parametrize("name", UNPACKED)
def test_what_was_packed_is_read_as_its_tags_say(unpacked: Path, name: str) -> None:
    assert_as_expected(unpacked / name, UNPACKED[name])


def test_the_table_knows_every_file(shared_data: Path, unpacked: Path) -> None:
    assert {path.name for path in (shared_data / "formats").iterdir()} == set(EXPECTED)
    assert {path.name for path in unpacked.iterdir()} == set(UNPACKED)


def test_every_emi_goes_with_its_series(shared_data: Path) -> None:
    names = [path.name for path in (shared_data / "formats").iterdir()]
    series = [name for name in names if name.endswith(".ser")]
    for name in series:
        (emi,) = companion_names(name, names)
        assert primary_of(emi, names) == name
    assert len(series) == sum(name.endswith(".emi") for name in names)


# ── what else the files state ────────────────────────────────────────────────

STATED = {
    # Titan of NCEM in California: the stamp of the series is UTC, the emi tells the local time
    "ncem__16_STOimage_1.ser": ("2011-10-19T01:18:46", "2011-10-18T18:18:46", 80, 13_500_000),
    "rsciio__64x64x5_TEM_preview_1.ser": (
        "2016-02-21T16:49:05",
        "2016-02-21T17:49:06",
        200,
        19_500,
    ),
    "ncem__Camera_Ceta_Imaging_Micro.emd": ("2020-07-29T16:48:19", None, 300, 26_996.349),
    "temul__example_Au_nanoparticle.emd": ("2019-08-13T15:32:02", None, 300, None),
    "ncem__Acquisition_18.emd": (None, None, 200, 5_100_000),
    # 12/10/2019 3:32:41 PM is October or December; the count of Windows, in UTC, decides
    "rsciio__multi_signal.dm3": (
        "2019-12-10T20:32:41",
        "2019-12-10T15:32:41",
        300,
        10_000_000,
    ),
    "rsciio__test_dm_image_um_unit.dm3": (None, "2015-07-20T18:48:25", 200, 51),
    "rsciio__olympus_SIS.tif": (None, "2018-11-15T19:42:31", None, 600_000),
}


@pytest.mark.parametrize("name", STATED)
def test_time_tension_and_magnification_are_the_files(shared_data: Path, name: str) -> None:
    utc, local, high_tension_kv, magnification = STATED[name]
    stated = next(read_micrographs(shared_data / "formats" / name)).acquisition
    in_utc = None if utc is None else datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert stated.acquired_at_utc == in_utc
    assert (stated.tz_source is None) == (utc is None)
    assert stated.acquired_local == (None if local is None else datetime.fromisoformat(local))
    assert stated.high_tension_kv == high_tension_kv
    assert stated.magnification == pytest.approx(magnification)


def test_a_packed_tiff_states_its_camera(unpacked: Path) -> None:
    stated = next(read_micrographs(unpacked / "TVIPS_bin4.tif")).acquisition
    assert stated.acquired_local == datetime.fromisoformat("2017-04-12T09:01:17")
    assert (stated.high_tension_kv, stated.magnification) == (99, 32_000)
    assert (stated.exposure_s, stated.detector) == (0.4, "F416")


def test_a_stopped_preview_is_marked(shared_data: Path) -> None:
    read = read_micrographs(shared_data / "formats" / "rsciio__03_Scanning_Preview_1.ser")
    assert {micrograph.suspect for micrograph in read} == {"5 of 200 frames were recorded"}


def test_no_other_real_file_is_suspect(shared_data: Path) -> None:
    for name, expected in EXPECTED.items():
        if isinstance(expected, Images) and name != "rsciio__03_Scanning_Preview_1.ser":
            read = read_micrographs(shared_data / "formats" / name)
            assert {micrograph.suspect for micrograph in read} == {None}, name


def test_a_micrometre_image_is_the_same_in_two_formats(shared_data: Path) -> None:
    """The DM image and the TIFF that DM saved of it are one picture."""
    names = ("rsciio__test_dm_image_um_unit.dm3", "rsciio__test_loading_image_saved_with_DM.tif")
    of_dm, of_tiff = (next(read_micrographs(shared_data / "formats" / name)) for name in names)
    assert of_dm.pixel_sha256 == of_tiff.pixel_sha256


FAMILIES = {".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".ser": "tia", ".mrc": "mrc"}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, expected in EXPECTED.items()
        if isinstance(expected, Images) and not name.endswith(".tif")
    ],
)
def test_the_pixels_are_rosettasciios(shared_data: Path, name: str) -> None:
    path = shared_data / "formats" / name
    reader = importlib.import_module(f"rsciio.{FAMILIES.get(path.suffix, 'emd')}")
    with warnings.catch_warnings(action="ignore"):
        expected = np.asarray(reader.file_reader(str(path))[0]["data"])
    found = np.stack([micrograph.image for micrograph in read_micrographs(path)])
    if name == "ncem__Acquisition_18.emd":
        expected = expected.T  # RosettaSciIO takes dim1, here Y, for x
    if path.suffix == ".mrc":
        expected = expected[:, ::-1]  # and leaves the bottom row of an MRC on top
    assert np.array_equal(np.squeeze(found), expected)
