"""Small seeded files of every family, written without the readers under test."""

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from analysis.errors import AnalysisError
from analysis.readers import read_micrographs
from analysis.simulation.files import write_mrc, write_ncem_emd, write_tiff

PIXEL_SIZE_NM = 0.0213
SER_DTYPE_CODES = {"uint8": 1, "uint16": 2, "uint32": 3, "int16": 5, "int32": 6, "float32": 7}
SER_HEAD_BYTES = 30
SER_TIME_TAG = 0x4152
VELOX_TEM = {"OperatingMode": "1", "ProjectorMode": "2"}
VELOX_STEM = {"OperatingMode": "2", "ProjectorMode": "1"}


def counts(*shape: int, dtype: str = "uint16", seed: int = 0) -> NDArray[np.generic]:
    """Electron counts of every row and column different, none of them zero."""
    return np.random.default_rng(seed).integers(1, 127, shape).astype(dtype)


def refusal_of(path: Path) -> AnalysisError:
    """The error by which a file is refused; fails where it is not."""
    try:
        found = list(read_micrographs(path))
    except AnalysisError as error:
        return error
    raise AssertionError(f"{path.name} gave {len(found)} micrographs")


def write_ser(
    path: Path,
    frames: NDArray[np.generic],
    pixel_size_nm: float = PIXEL_SIZE_NM,
    declared: int | None = None,
    unix_s: int = 1_600_000_000,
    data_type_id: int = 0x4122,
) -> None:
    """TIA series of (frames, H, W), rows from the bottom up, as version 0x220 writes it."""
    valid, height, width = frames.shape
    declared = declared or valid
    step_m = pixel_size_nm * 1e-9
    table_at = SER_HEAD_BYTES
    first = table_at + 16 * declared
    code = SER_DTYPE_CODES[frames.dtype.name]
    element = struct.pack("<ddiddi", 0, step_m, 0, 0, step_m, 0)
    element += struct.pack("<HII", code, width, height)
    body = [element + np.flip(frame, 0).tobytes() for frame in frames]
    time_tag = struct.pack("<HHI", SER_TIME_TAG, 0, unix_s)  # follows its frame
    step = len(body[0]) + len(time_tag)
    offsets = [first + i * step for i in range(valid)] + [0] * (declared - valid)
    tags = [offset + len(body[0]) for offset in offsets[:valid]] + [0] * (declared - valid)
    head = struct.pack(
        "<HHHIIIIQ",
        *(0x4949, 0x0197, 0x220, data_type_id, SER_TIME_TAG, declared, valid, table_at),
    )
    table = struct.pack(f"<{2 * declared}Q", *offsets, *tags)
    path.write_bytes(head + table + b"".join(frame + time_tag for frame in body))


def write_emi(path: Path, mode: str, camera: str = "BM-Ceta") -> None:
    """Settings of a TIA series: XML between binary bytes."""
    camera_path = f"<CameraNamePath>{camera}</CameraNamePath>" if camera else ""
    labels = {
        "Microscope": "Titan",
        "Mode": f" {mode}",
        "Defocus": "-0.050",
        "Magnification": "5e5",
    }
    described = "".join(
        f"<Data><Label>{label}</Label><Value>{value}</Value><Unit></Unit></Data>"
        for label, value in labels.items()
    )
    xml = (
        "<ObjectInfo><ExperimentalConditions><MicroscopeConditions>"
        "<AcceleratingVoltage>300000</AcceleratingVoltage>"
        "</MicroscopeConditions></ExperimentalConditions>"
        f"<ExperimentalDescription><Root>{described}</Root></ExperimentalDescription>"
        "<AcquireDate>Sun Sep 13 14:26:40 2020</AcquireDate>"
        f"<AcquireInfo><DwellTimePath>0.25</DwellTimePath>{camera_path}</AcquireInfo></ObjectInfo>"
    )
    path.write_bytes(b"\x4a\x4b\0\1" + xml.encode() + b"\0\0\xff")


DmTag = dict[str, Any] | list[Any] | str | int | float | NDArray[np.generic]
DM_TYPE_OF_DTYPE = {"int16": (1, 2), "float32": (2, 6), "uint8": (6, 10), "uint16": (10, 4)}
DM_COLOUR, DM_COMPLEX = 23, 3
DM_COUNT = {3: "I", 4: "Q"}


def write_dm3(
    path: Path,
    image: NDArray[np.generic],
    units: tuple[str, ...] = ("nm", "nm"),
    tags: dict[str, Any] | None = None,
    data_type: int | None = None,
    version: int = 3,
) -> None:
    """DigitalMicrograph file of (H, W) or (frames, H, W); `units` are those of x, y and z.

    Version 4 has counts of eight bytes, and tells the length of every tag.
    """
    own_type, _ = DM_TYPE_OF_DTYPE[image.dtype.name]
    sides = image.shape[::-1] if data_type != DM_COLOUR else image.shape[1::-1]
    axes = [{"Origin": 0.0, "Scale": PIXEL_SIZE_NM, "Units": unit} for unit in units]
    content = {
        "ImageData": {
            "Calibrations": {"Dimension": axes},
            "Data": image.ravel(),
            "DataType": data_type or own_type,
            "Dimensions": list(sides),
            "PixelDepth": image.itemsize,
        },
        "ImageTags": tags or {},
        "Name": "Au",
    }
    count = DM_COUNT[version]
    root = _dm_group({"ImageList": [content]}, count) + bytes(8)
    head = struct.pack(">I", version) + struct.pack(f">{count}", len(root)) + struct.pack(">I", 1)
    path.write_bytes(head + root)


def _dm_group(members: dict[str, Any] | list[Any], count: str) -> bytes:
    named = members.items() if isinstance(members, dict) else [("", one) for one in members]
    body = b"".join(_dm_tag(name, value, count) for name, value in named)
    return struct.pack(f">BB{count}", 0, 0, len(named)) + body


def _dm_tag(name: str, value: DmTag, count: str) -> bytes:
    """One tag: its head big-endian, its value little-endian."""
    is_group = isinstance(value, dict | list)
    head = struct.pack(">BH", 20 if is_group else 21, len(name)) + name.encode()
    body = _dm_group(value, count) if isinstance(value, dict | list) else _dm_value(value, count)
    return head + (struct.pack(">Q", len(body)) if count == DM_COUNT[4] else b"") + body


def _dm_value(value: DmTag, count: str) -> bytes:
    if isinstance(value, str):
        kinds, packed = (20, 4, len(value)), value.encode("utf-16le")
    elif isinstance(value, np.ndarray):
        _, element = DM_TYPE_OF_DTYPE[value.dtype.name]
        kinds, packed = (20, element, value.size), value.tobytes()
    elif isinstance(value, float):
        kinds, packed = (7,), struct.pack("<d", value)
    else:
        kinds, packed = (5,), struct.pack("<I", value)
    return b"%%%%" + struct.pack(f">{1 + len(kinds)}{count}", len(kinds), *kinds) + packed


def write_velox(
    path: Path,
    images: dict[str, NDArray[np.generic]],
    optics: dict[str, str] | None = None,
    unit: str = "m",
    pixel_size: float = PIXEL_SIZE_NM * 1e-9,
) -> None:
    """Velox file of named detectors, each (H, W) or (H, W, frames)."""
    with h5py.File(path, "w") as file:
        file.create_dataset("Version", data=[b'{"format": "Velox", "version": "8"}'])
        for detector, image in images.items():
            stated: dict[str, Any] = {
                "BinaryResult": {
                    "Detector": detector,
                    "PixelSize": {"width": str(pixel_size), "height": str(pixel_size)},
                    "PixelUnitX": unit,
                    "PixelUnitY": unit,
                },
                "Optics": {"AccelerationVoltage": "300000", "Defocus": "-5e-8"}
                | (optics or VELOX_TEM),
                "Instrument": {"InstrumentModel": "Titan"},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1600000000"}},
                "Detectors": {"Detector-0": {"DetectorName": detector, "ExposureTime": "0.4"}},
            }
            characters = np.frombuffer(json.dumps(stated).encode().ljust(4000, b"\0"), np.uint8)
            group = file.create_group(f"Data/Image/{detector}")
            stack = image if image.ndim > 2 else image[..., np.newaxis]
            group.create_dataset("Data", data=stack)
            group.create_dataset("Metadata", data=np.repeat(characters[:, None], stack.shape[2], 1))


def write_tvips(path: Path, frames: NDArray[np.generic], mode: int = 1) -> None:
    """TVIPS stream of (frames, H, W)."""
    _, height, width = frames.shape
    head = struct.pack(
        "<13I",
        *(256, 2, width, height, frames.dtype.itemsize * 8, 0, 0, 1, 1, 15600, 200_000, 5000, 64),
    ).ljust(256, b"T")
    records = [
        struct.pack("<4IfI I", i, 1_600_000_000, 0, 0, 0.0, 5000, mode).ljust(64, b"\0")
        + frame.tobytes()
        for i, frame in enumerate(frames)
    ]
    path.write_bytes(head + b"".join(records))


def write_png(path: Path, image: NDArray[np.generic]) -> None:
    """PNG with the printer's resolution that most programs put in."""
    Image.fromarray(image).save(path, dpi=(72, 72))


def write_every_family(folder: Path, image: NDArray[np.generic]) -> list[Path]:
    """The same (H, W) uint16 image, written by every family that can be written here."""
    paths = [folder / f"a.{suffix}" for suffix in ("tif", "mrc", "emd", "ser", "png", "dm3")]
    tif, mrc, emd, ser, png, dm3 = paths
    write_tiff(tif, image, PIXEL_SIZE_NM)
    write_mrc(mrc, image, PIXEL_SIZE_NM)
    write_ncem_emd(emd, image, PIXEL_SIZE_NM)
    write_ser(ser, image[np.newaxis])
    write_png(png, image)
    write_dm3(dm3, image)
    compressed, chunked = folder / "compressed.tif", folder / "chunked.h5"
    tifffile.imwrite(compressed, image, compression="zlib", rowsperstrip=16)
    with h5py.File(chunked, "w") as file:
        file.create_dataset(
            "image", data=image, chunks=(min(16, len(image)), image.shape[1]), compression="gzip"
        )
    velox, tvips = folder / "velox.emd", folder / "a_000.tvips"
    write_velox(velox, {"BM-Ceta": image})
    write_tvips(tvips, image[np.newaxis])
    return [*paths, compressed, chunked, velox, tvips]
