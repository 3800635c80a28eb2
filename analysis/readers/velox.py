"""Signals of an EMD file of Velox: several images, each with its metadata as JSON.

`Data/Image/<id>/Data` is (H, W, frames); lengths are in metres, times in Unix seconds.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from analysis.errors import ErrorCode, NotAMicrograph
from analysis.micrograph import Acquisition, CalibrationSource, ImagingMode
from analysis.readers.hdf5 import FrameReader, missing_chunks
from analysis.readers.signal import Signal, not_an_image, obstacle_of_axes, pixel_size_of
from analysis.readers.stated import number, positive

FRAME_AXIS = 2
VELOX_DIMENSIONS = 3
METADATA_BYTES = 16 * 2**20
UNWRITTEN_SETTINGS = "the settings of the image, and so its pixel size, were never written"
# Optics.OperatingMode and, in TEM, Optics.ProjectorMode.
MODE_OF_OPERATION = {"1": ImagingMode.TEM, "2": ImagingMode.STEM}
DIFFRACTION_PROJECTOR = "1"


def is_velox(file: h5py.File) -> bool:
    """Whether the file has the groups of Velox."""
    return isinstance(file.get("Data"), h5py.Group) and "Version" in file


def read_signals(path: Path, file: h5py.File) -> Iterator[Signal]:
    """Images in the order of the file, then one note for the spectra."""
    data = file["Data"]
    for kind in ("Image", "Spectrum", "SpectrumStream", "SpectrumImage"):
        members = data.get(kind)
        if not isinstance(members, h5py.Group):
            continue
        for group in members.values():
            if kind != "Image":
                yield not_an_image(kind, ErrorCode.SPECTRUM, "The file holds spectra.")
            elif isinstance(group, h5py.Group) and isinstance(group.get("Data"), h5py.Dataset):
                yield _image(path, group)


def _image(path: Path, group: h5py.Group) -> Signal:
    dataset = group["Data"]
    settings = _settings(group)
    stated = _metadata(settings)
    result = stated.get("BinaryResult", {})
    title = str(result.get("Detector", ""))
    if dataset.dtype.kind not in "uif":
        return not_an_image(
            title, ErrorCode.COMPLEX_VALUED, "The file holds complex numbers or colours."
        )
    if dataset.ndim != VELOX_DIMENSIONS:
        return not_an_image(title, ErrorCode.NOT_TWO_DIMENSIONAL, "The data are no 2-D images.")
    height_px, width_px, frame_count = dataset.shape
    sides = result.get("PixelSize", {})
    y_unit, x_unit = result.get("PixelUnitY"), result.get("PixelUnitX")
    return Signal(
        title=title,
        shape_px=(height_px, width_px),
        frame_count=frame_count,
        is_series=frame_count > 1,
        dtype=dataset.dtype,
        read_frame=FrameReader(path, str(dataset.name), FRAME_AXIS),
        pixel_size=pixel_size_of(
            (number(sides.get("height")), y_unit),
            (number(sides.get("width")), x_unit),
            CalibrationSource.FILE,
        ),
        acquisition=_acquisition(stated),
        obstacle=_obstacle(stated.get("Optics", {}), y_unit, x_unit),
        suspect=missing_chunks(dataset) or (UNWRITTEN_SETTINGS if settings == b"" else None),
    )


def _metadata(settings: bytes | None) -> Mapping[str, Any]:
    """The settings as JSON; empty where there are none."""
    found = json.loads((settings or b"{}").decode("utf-8", errors="replace"))
    return found if isinstance(found, dict) else {}


def _settings(group: h5py.Group) -> bytes | None:
    """What is written of the first frame's settings; None where there is no room for them."""
    dataset = group.get("Metadata")
    if not isinstance(dataset, h5py.Dataset) or not 0 < dataset.shape[0] <= METADATA_BYTES:
        return None
    return np.asarray(dataset[:, 0], dtype=np.uint8).tobytes().split(b"\0")[0]


def _acquisition(stated: Mapping[str, Any]) -> Acquisition:
    optics, instrument = stated.get("Optics", {}), stated.get("Instrument", {})
    detector = _detector(stated)
    started_s = positive(
        stated.get("Acquisition", {}).get("AcquisitionStartDatetime", {}).get("DateTime")
    )
    return Acquisition(
        imaging_mode=_imaging_mode(optics),
        acquired_at_utc=datetime.fromtimestamp(started_s, UTC) if started_s else None,
        tz_source="Velox AcquisitionStartDatetime" if started_s else None,
        high_tension_kv=positive(optics.get("AccelerationVoltage"), 1e-3),
        magnification=positive(optics.get("NominalMagnification")),
        exposure_s=positive(detector.get("ExposureTime")),
        defocus_nm=_defocus_nm(optics),
        instrument=instrument.get("InstrumentModel") or instrument.get("InstrumentClass"),
        detector=stated.get("BinaryResult", {}).get("Detector") or None,
    )


def _defocus_nm(optics: Mapping[str, Any]) -> float | None:
    """Defocus of the image, underfocus negative; in STEM the value belongs to the probe."""
    defocus_m = number(optics.get("Defocus"))
    is_tem = _imaging_mode(optics) is ImagingMode.TEM
    return defocus_m * 1e9 if is_tem and math.isfinite(defocus_m) else None


def _detector(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """The detector that recorded this image, found by its name."""
    name = str(stated.get("BinaryResult", {}).get("Detector", ""))
    for detector in stated.get("Detectors", {}).values():
        known = str(detector.get("DetectorName", ""))
        if known and name.split("-")[0] == known.split("-")[0]:
            return detector if isinstance(detector, dict) else {}
    return {}


def _imaging_mode(optics: Mapping[str, Any]) -> ImagingMode:
    return MODE_OF_OPERATION.get(str(optics.get("OperatingMode")), ImagingMode.UNKNOWN)


def _obstacle(
    optics: Mapping[str, Any], y_unit: str | None, x_unit: str | None
) -> NotAMicrograph | None:
    is_tem = _imaging_mode(optics) is ImagingMode.TEM
    if is_tem and str(optics.get("ProjectorMode")) == DIFFRACTION_PROJECTOR:
        return NotAMicrograph(
            ErrorCode.DIFFRACTION, "The file states that it was recorded in diffraction mode."
        )
    return obstacle_of_axes(y_unit, x_unit)
