"""A pixel size is taken from where the microscope put it, and from nowhere else."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ErrorCode
from analysis.micrograph import CalibrationSource, ImagingMode, Micrograph
from analysis.readers import read_micrographs
from analysis.readers.units import AxisKind, axis_kind, length_nm
from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff
from tests.analysis.readers.samples import PIXEL_SIZE_NM, counts, refusal_of, write_png

IMAGE = counts(64, 64)
JEOL_REPORT = """<?xml version="1.0"?>
<TemReporter><Instruments>JEM-ARM200F</Instruments>
<DateTime>2019-11-27T16:11:26.6205405+09:00</DateTime>
<ElectronGun><AccelerationVoltage>200000</AccelerationVoltage></ElectronGun>
<Eos><EosMode>{eos}</EosMode></Eos>
<ImageFormingSystem><ModeString>{forming}</ModeString><SelectorValue>800000</SelectorValue>
</ImageFormingSystem></TemReporter>"""
MDOC = """PixelSpacing = 0.213
Voltage = 300
[ZValue = 0]
ExposureTime = 0.5
ExposureDose = 40
Defocus = -0.08
Magnification = 400000
DateTime = 22-Nov-26  10:11:12
"""


def only_one(path: Path, pixel_size_nm: float | None = None) -> Micrograph:
    (micrograph,) = read_micrographs(path, pixel_size_nm=pixel_size_nm)
    return micrograph


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (0.0213, "nm"),
        (0.0213, "n_m"),
        (0.0213, "[n_m]"),
        (2.13e-5, "µm"),
        (2.13e-5, "μm"),
        (2.13e-5, "um"),
        (2.13e-5, "micron"),
        (2.13e-5, "\\u00B5m"),
        (0.213, "Å"),
        (0.213, "A"),
        (0.213, "Angstrom"),
        (21.3, "pm"),
        (2.13e-11, "m"),
    ],
)
def test_every_unit_of_length_means_the_same_size(value: float, unit: str) -> None:
    assert length_nm(value, unit) == pytest.approx(0.0213)


@pytest.mark.parametrize("unit", [None, "", "pixel", "px", "inch", "cm", "mm", "s", "1/nm", "eV"])
def test_what_is_no_length_of_a_specimen_gives_none(unit: str | None) -> None:
    assert length_nm(0.0213, unit) is None


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1.0])
def test_a_placeholder_in_metres_gives_none(value: float) -> None:
    assert length_nm(value, "m") is None


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("1/nm", AxisKind.RECIPROCAL),
        ("1 / nm", AxisKind.RECIPROCAL),
        ("[n_m^-1]", AxisKind.RECIPROCAL),
        ("mrad", AxisKind.RECIPROCAL),
        ("eV", AxisKind.ENERGY),
        ("keV", AxisKind.ENERGY),
        ("A", AxisKind.LENGTH),
        ("", AxisKind.UNKNOWN),
    ],
)
def test_the_unit_tells_what_lies_along_an_axis(unit: str, kind: AxisKind) -> None:
    assert axis_kind(unit) is kind


@given(pixel_size_nm=st.floats(0.001, 100), unit=st.sampled_from(["nm", "micron", "µm", "pm"]))
def test_imagej_keeps_any_unit(
    tmp_path_factory: pytest.TempPathFactory, pixel_size_nm: float, unit: str
) -> None:
    """RosettaSciIO 0.15 drops every unit but `micron` and leaves the bare number."""
    path = tmp_path_factory.mktemp("imagej") / "a.tif"
    per_nm = {"nm": 1.0, "micron": 1e-3, "µm": 1e-3, "pm": 1e3}[unit]
    per_pixel = pixel_size_nm * per_nm
    metadata = {"unit": unit.replace("µ", "\\u00B5")}
    tifffile.imwrite(
        path, IMAGE, imagej=True, resolution=(1 / per_pixel, 1 / per_pixel), metadata=metadata
    )
    assert only_one(path).calibration.pixel_size_nm == pytest.approx(pixel_size_nm, rel=1e-3)


@pytest.mark.parametrize("unit", ["pixel", "inch", "cm", ""])
def test_imagej_without_a_length_states_nothing(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=(72, 72), metadata={"unit": unit})
    assert only_one(path).calibration.pixel_size_nm is None


@pytest.mark.parametrize(("dots", "unit"), [(72, 2), (300, 2), (9600, 2), (28.35, 3), (118, 3)])
def test_the_resolution_of_a_printer_is_no_calibration(
    tmp_path: Path, dots: float, unit: int
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, resolution=(dots, dots), resolutionunit=unit)
    calibration = only_one(path).calibration
    assert calibration.pixel_size_nm is None
    assert calibration.source is CalibrationSource.UNKNOWN


def test_a_resolution_finer_than_any_printers_is_one(tmp_path: Path) -> None:
    """SerialEM and EM-MENU write pixels a centimetre of the specimen."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, resolution=(469_483_568, 469_483_568), resolutionunit=3)
    assert only_one(path).calibration.pixel_size_nm == pytest.approx(0.0213)


def test_ome_states_the_physical_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 0.0213, "PhysicalSizeXUnit": "nm"}
    metadata |= {"PhysicalSizeY": 0.0213, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, IMAGE, metadata=metadata)
    assert only_one(path).calibration.pixel_size_nm == pytest.approx(0.0213)


@pytest.mark.parametrize(
    ("eos", "mode", "pixel_size_nm"),
    [
        ("eosTEM", ImagingMode.TEM, 25.4e6 / 1000 / 800_000),
        ("modeASID", ImagingMode.STEM, None),
        ("new", ImagingMode.UNKNOWN, None),
    ],
)
def test_jeol_states_a_resolution_and_a_magnification(
    tmp_path: Path, eos: str, mode: ImagingMode, pixel_size_nm: float | None
) -> None:
    path = tmp_path / "a.tif"
    report = JEOL_REPORT.format(eos=eos, forming="MAG")
    tifffile.imwrite(path, IMAGE, description=report, resolution=(1000, 1000), resolutionunit=2)
    micrograph = only_one(path)
    stated = micrograph.acquisition
    assert micrograph.calibration.pixel_size_nm == pytest.approx(pixel_size_nm)
    assert stated.imaging_mode is mode
    assert stated.acquired_at_utc == datetime(2019, 11, 27, 7, 11, 26, 620540, tzinfo=UTC)
    assert stated.acquired_local == datetime.fromisoformat("2019-11-27T16:11:26.620540")
    assert (stated.high_tension_kv, stated.instrument) == (200, "JEM-ARM200F")


def test_jeol_diffraction_is_refused(tmp_path: Path) -> None:
    report = JEOL_REPORT.format(eos="eosTEM", forming="DIFF")
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, description=report)
    assert refusal_of(tmp_path / "a.tif").code is ErrorCode.DIFFRACTION


@pytest.mark.parametrize("cell_a", [0.0, 1.0])
def test_an_mrc_nobody_calibrated_states_nothing(tmp_path: Path, cell_a: float) -> None:
    """IMOD writes 1 Å a voxel, and others 0, where nobody knew."""
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(IMAGE)
        file.voxel_size = cell_a
    assert only_one(tmp_path / "a.mrc").calibration.pixel_size_nm is None


def test_the_extended_header_of_an_mrc_wins_over_its_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    extended = np.zeros(1, mrcfile.dtypes.get_ext_header_dtype(b"FEI1", "<"))
    extended["Pixel size X"] = extended["Pixel size Y"] = 2.13e-11
    extended["HT"], extended["Instrument mode"], extended["Projection mode"] = 300e3, 1, 2
    extended["Integration time"], extended["Defocus"] = 0.5, -8e-8
    with mrcfile.new(path) as file:
        file.set_data(IMAGE)
        file.set_extended_header(extended)
        file.header.exttyp = b"FEI1"
        file.voxel_size = 0.0213  # nm, where Å belong
    micrograph = only_one(path)
    assert micrograph.calibration.pixel_size_nm == pytest.approx(0.0213)
    stated = micrograph.acquisition
    assert stated.imaging_mode is ImagingMode.TEM
    assert (stated.high_tension_kv, stated.exposure_s) == (300, 0.5)
    assert stated.defocus_nm == pytest.approx(-80)


def test_the_mdoc_completes_an_mrc(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", IMAGE, 0.1)  # 1 Å: the placeholder
    (tmp_path / "a.mrc.mdoc").write_text(MDOC)
    micrograph = only_one(tmp_path / "a.mrc", pixel_size_nm=9.9)
    assert micrograph.calibration.pixel_size_nm == pytest.approx(0.0213)
    assert micrograph.calibration.source is CalibrationSource.SIDECAR
    stated = micrograph.acquisition
    assert stated.acquired_local == datetime.fromisoformat("2026-11-22T10:11:12")
    assert (stated.high_tension_kv, stated.magnification) == (300, 400_000)
    assert (stated.exposure_s, stated.dose_e_per_a2) == (0.5, 40)
    assert stated.defocus_nm == pytest.approx(-80)


def test_an_mdoc_cut_anywhere_states_no_other_pixel_size(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", IMAGE, 0.1)
    for length in range(len(MDOC)):
        (tmp_path / "a.mrc.mdoc").write_text(MDOC[:length])
        found = only_one(tmp_path / "a.mrc").calibration.pixel_size_nm
        assert found in (None, pytest.approx(0.0213)), MDOC[:length]


def test_the_file_is_believed_before_its_mdoc(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", IMAGE, 0.05)
    (tmp_path / "a.mdoc").write_text(MDOC)
    calibration = only_one(tmp_path / "a.mrc").calibration
    assert calibration.pixel_size_nm == pytest.approx(0.05)
    assert calibration.source is CalibrationSource.FILE


def test_the_operators_value_serves_only_where_the_file_is_silent(tmp_path: Path) -> None:
    write_png(tmp_path / "silent.png", IMAGE)
    write_tiff(tmp_path / "stated.tif", IMAGE, PIXEL_SIZE_NM)
    silent = only_one(tmp_path / "silent.png", pixel_size_nm=0.04).calibration
    stated = only_one(tmp_path / "stated.tif", pixel_size_nm=0.04).calibration
    assert (silent.pixel_size_nm, silent.source) == (0.04, CalibrationSource.CONFIG)
    assert stated.pixel_size_nm == pytest.approx(PIXEL_SIZE_NM)
    assert stated.source is CalibrationSource.FILE


@pytest.mark.parametrize("unit", ["n_m", "nm", "[n_m]"])
def test_an_emd_may_spell_nanometres_as_it_likes(tmp_path: Path, unit: str) -> None:
    write_ncem_emd(tmp_path / "a.emd", IMAGE, PIXEL_SIZE_NM, unit)
    found = only_one(tmp_path / "a.emd").calibration.pixel_size_nm
    assert found == pytest.approx(PIXEL_SIZE_NM)


@pytest.mark.parametrize(("unit", "code"), [("1/nm", "diffraction"), ("eV", "spectrum")])
def test_an_emd_of_other_axes_is_refused(tmp_path: Path, unit: str, code: str) -> None:
    write_ncem_emd(tmp_path / "a.emd", IMAGE, PIXEL_SIZE_NM, unit)
    assert refusal_of(tmp_path / "a.emd").code == code


@pytest.mark.parametrize(("ratio", "is_square"), [(1.0, True), (1.009, True), (1.011, False)])
def test_pixels_may_differ_by_one_per_cent(tmp_path: Path, ratio: float, is_square: bool) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, IMAGE, imagej=True, resolution=(20.0, 20.0 * ratio), metadata={"unit": "nm"}
    )
    if is_square:
        mean_nm = (1 / 20 + 1 / 20 / ratio) / 2
        assert only_one(path).calibration.pixel_size_nm == pytest.approx(mean_nm, rel=1e-5)
    else:
        assert refusal_of(path).code is ErrorCode.PIXELS_NOT_SQUARE


def test_an_emd_whose_axes_were_never_written_is_suspect(tmp_path: Path) -> None:
    path = tmp_path / "a.emd"
    write_ncem_emd(path, IMAGE, PIXEL_SIZE_NM)
    assert only_one(path).suspect is None
    with h5py.File(path, "r+") as file:
        file["data/simulated/dim2"][:] = 0
    suspect = only_one(path).suspect
    assert suspect is not None
    assert "break off" in suspect
