"""One HDF5 file per analysed image: its masks, and the rows that belong to them.

NeXus: `/entry/masks/labels` at the micrograph's own pixels, `/entry/masks/probability` on the
grid of the network with its own axes, both compressed and with a Fletcher-32 checksum; axes in
nm, in px where the pixel size is unknown. `/entry/record` holds the result as JSON, from which
`rebuild` restores the database.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from schema.durable import make_durable, make_folder, replacing
from schema.errors import MaskFileError
from schema.records import OriginRecord, ResultRecord
from schema.serial import RECORD_FORMAT, from_json, to_json

LAYOUT_VERSION = 1

_SLUG_CHARACTERS = 80
_HASH_CHARACTERS = 12
_CHUNK_PX = 512
_STORAGE: Mapping[str, Any] = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}

T = TypeVar("T")
MaskArray: TypeAlias = NDArray[np.unsignedinteger[Any]]


def mask_path(acquired: date | None, file_name: str, natural_key: str) -> str:
    """Where the mask file of a result lies, relative to the state folder; ASCII, POSIX.

    Args:
        acquired: day of the acquisition by the clock of the microscope, if it is known.
        file_name: of the micrograph; only letters, digits, dot, dash and underscore remain.
        natural_key: of the result.
    """
    day = "undated" if acquired is None else acquired.isoformat()
    return f"masks/{day}/{slug(file_name)}-{natural_key[:_HASH_CHARACTERS]}.h5"


def slug(file_name: str) -> str:
    """At most 80 harmless ASCII characters that recall a file name."""
    plain = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode("ascii")
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", plain)
    return words[:_SLUG_CHARACTERS].strip("._-") or "unnamed"


def write(
    state_folder: Path,
    relative_path: str,
    *,
    labels: MaskArray | None,
    probability: NDArray[np.uint8] | None,
    probability_pixel_size_nm: float | None,
    pixel_size_nm: float | None,
    record: ResultRecord,
    origin: OriginRecord,
) -> Path:
    """The mask file, durable and verified; one that was there is replaced.

    Args:
        state_folder: exists.
        relative_path: from `mask_path`.
        labels: (H, W) uint16 or uint32, 0 is background; None where nothing was segmented.
        probability: (h, w) uint8, round(255·p); None where nothing was segmented.
        probability_pixel_size_nm: of the network's grid; None where the scale is assumed.
        pixel_size_nm: of the micrograph; None where it is unknown.
        record: rides along, exactly.
        origin: the file the micrograph came from.

    Raises:
        MaskFileError: the file does not read back as it was written.
        ValueError: an array or the path is not of the kind stated.
    """
    final = state_folder / _inside(relative_path)
    _check_arrays(labels, probability)
    make_folder(final.parent)

    def verify(path: Path) -> None:
        _verify(path, labels, probability, record, origin)

    with replacing(final, verify) as unfinished, _hdf5(unfinished) as file:
        entry = _group(file, "entry", "NXentry", default="masks")
        file.attrs["default"] = "entry"
        file.attrs["NX_class"] = "NXroot"
        _describe(entry, record, origin)
        masks = _group(entry, "masks", "NXdata")
        if labels is not None:
            _write_labels(masks, labels, pixel_size_nm)
        if probability is not None:
            _write_probability(masks, probability, probability_pixel_size_nm)
        _write_text(entry, "record", to_json(record))
        _write_text(entry, "origin", to_json(origin))
    return final


@contextmanager
def _hdf5(path: Path) -> Iterator[h5py.File]:
    """A new file; what h5py says of a full disk is not always an OSError."""
    try:
        with h5py.File(path, "x") as file:
            yield file
    except RuntimeError as error:
        raise MaskFileError(f"{path.name} cannot be written: {error}") from error


def adopted(path: Path) -> ResultRecord:
    """The result of a mask file whose row is missing, once the file is sound and durable.

    It was renamed into place, but perhaps never synced there: whoever commits its row must know
    that it stays after a power loss.

    Raises:
        MaskFileError: a part of it is damaged, or it is none of ours.
        OSError: it cannot be made durable.
    """
    read_labels(path)
    read_probability(path)
    read_origin(path)
    found = read_record(path)
    make_durable(path)
    return found


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What a mask file is about, read without its rows."""

    natural_key: str
    pipeline_fingerprint: str
    signal_index: int
    frame_index: int | None
    analysed_at_utc: datetime

    @property
    def place(self) -> tuple[int, int]:
        """Of the frame in its file; a single image comes first."""
        return self.signal_index, -1 if self.frame_index is None else self.frame_index


def read_heading(path: Path) -> Heading:
    """What the attributes of a mask file say.

    Raises:
        MaskFileError: the file is damaged, or none of ours.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            attributes = dict(file["entry"].attrs)
        frame = attributes.get("frame_index")
        return Heading(
            natural_key=str(attributes["natural_key"]),
            pipeline_fingerprint=str(attributes["pipeline_fingerprint"]),
            signal_index=int(attributes["signal_index"]),
            frame_index=None if frame is None else int(frame),
            analysed_at_utc=datetime.fromisoformat(str(attributes["analysed_at_utc"])),
        )
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise MaskFileError(f"{path.name} is damaged or no mask file: {error}") from error


def read_record(path: Path) -> ResultRecord:
    """The result that rides along, exactly as it was written.

    Raises:
        MaskFileError: the file is damaged, or none of ours.
    """
    return _read_text(path, "record", ResultRecord)


def read_origin(path: Path) -> OriginRecord:
    """The file the result came from.

    Raises:
        MaskFileError: the file is damaged, or none of ours.
    """
    return _read_text(path, "origin", OriginRecord)


def read_labels(path: Path) -> MaskArray | None:
    """(H, W) uint16 or uint32 instances, None where nothing was segmented.

    Raises:
        MaskFileError: the file is damaged, or none of ours.
    """
    return _read_array(path, "labels")


def read_probability(path: Path) -> MaskArray | None:
    """(h, w) uint8 = round(255·p) on the network's grid, None where nothing was segmented.

    Raises:
        MaskFileError: the file is damaged, or none of ours.
    """
    return _read_array(path, "probability")


def _inside(relative_path: str) -> PurePosixPath:
    path = PurePosixPath(relative_path)
    if path.is_absolute() or ".." in path.parts or path.parts[0] != "masks":
        raise ValueError(f"{relative_path!r} is no mask path")
    return path


def _check_arrays(labels: MaskArray | None, probability: MaskArray | None) -> None:
    if labels is not None and (labels.ndim != 2 or labels.dtype not in (np.uint16, np.uint32)):
        raise ValueError(f"labels of {labels.ndim} dimensions and type {labels.dtype}")
    if probability is not None and (probability.ndim != 2 or probability.dtype != np.uint8):
        raise ValueError(f"probability of {probability.ndim} dimensions, type {probability.dtype}")


def _group(parent: h5py.Group, name: str, nexus_class: str, **attributes: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def _describe(entry: h5py.Group, record: ResultRecord, origin: OriginRecord) -> None:
    analysis, image = record.analysis, record.image
    attributes = {
        "layout_version": LAYOUT_VERSION,
        "source_path": np.bytes_(origin.path),
        "file_sha256": origin.file_sha256,
        "pixel_sha256": image.pixel_sha256,
        "signal_index": image.signal_index,
        "frame_index": image.frame_index,
        "natural_key": analysis.natural_key,
        "bundle": f"{record.bundle.name} {record.bundle.version}",
        "bundle_sha256": record.bundle.sha256,
        "pipeline_fingerprint": analysis.pipeline_fingerprint,
        "settings": record.pipeline.settings_json,
        "analysis_version": record.pipeline.analysis_version,
        "feature_set_version": record.pipeline.feature_set_version,
        "software": f"fringewatch {analysis.software_version}",
        "analysed_at_utc": analysis.analysed_at_utc.isoformat(),
        "pixel_size_nm": image.pixel_size_nm,
        "pixel_size_source": str(image.pixel_size_source),
        "in_domain": analysis.in_domain,
        "domain_reason": analysis.domain_reason,
    }
    for name, value in attributes.items():
        if value is not None:
            entry.attrs[name] = _without_nul(value) if isinstance(value, str) else value


def _without_nul(text: str) -> str:
    """The text as HDF5 can hold it: a NUL would end it."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def _write_labels(masks: h5py.Group, labels: MaskArray, pixel_size_nm: float | None) -> None:
    masks.attrs["signal"] = "labels"
    masks.attrs["axes"] = ["y", "x"]
    dataset = _write_array(masks, "labels", labels)
    dataset.attrs["long_name"] = "particle number; 0 is background"
    _write_axes(masks, "y", "x", labels.shape, pixel_size_nm)


def _write_probability(
    masks: h5py.Group, probability: MaskArray, pixel_size_nm: float | None
) -> None:
    dataset = _write_array(masks, "probability", probability)
    dataset.attrs["long_name"] = "probability of particle"
    dataset.attrs["scale_factor"] = 1 / 255
    dataset.attrs["axes"] = ["probability_y", "probability_x"]
    _write_axes(masks, "probability_y", "probability_x", probability.shape, pixel_size_nm)


def _write_axes(
    masks: h5py.Group, y: str, x: str, shape: tuple[int, ...], pixel_size_nm: float | None
) -> None:
    # Centres of the pixels from the upper left corner: so the axes of both grids agree.
    for name, length in zip((y, x), shape, strict=True):
        step = 1.0 if pixel_size_nm is None else pixel_size_nm
        axis = masks.create_dataset(name, data=(np.arange(length) + 0.5) * step)
        axis.attrs["units"] = "px" if pixel_size_nm is None else "nm"


def _write_array(parent: h5py.Group, name: str, array: NDArray[Any]) -> h5py.Dataset:
    chunks = tuple(min(_CHUNK_PX, side) for side in array.shape)
    return parent.create_dataset(name, data=array, chunks=chunks, **_STORAGE)


def _write_text(entry: h5py.Group, name: str, text: str) -> None:
    # As bytes in an array: HDF5 neither compresses nor checksums a string of variable length.
    note = _group(entry, name, "NXnote", type="application/json", encoding="ascii")
    note.attrs["record_format"] = RECORD_FORMAT
    data = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    note.create_dataset("data", data=data, chunks=(min(data.size, 65536),), **_STORAGE)


def _verify(
    path: Path,
    labels: MaskArray | None,
    probability: MaskArray | None,
    record: ResultRecord,
    origin: OriginRecord,
) -> None:
    for name, written in (("labels", labels), ("probability", probability)):
        found = _read_array(path, name)
        if (written is None) != (found is None):
            raise MaskFileError(f"{path.name}: {name} did not read back")
        if written is not None and found is not None and not np.array_equal(written, found):
            raise MaskFileError(f"{path.name}: {name} read back differently")
    for name, value in (("record", record), ("origin", origin)):
        if _text(path, name) != to_json(value):
            raise MaskFileError(f"{path.name}: the {name} read back differently")


def _read_array(path: Path, name: str) -> MaskArray | None:
    try:
        with h5py.File(path, "r", locking=False) as file:
            masks = file["entry/masks"]
            return masks[name][...] if name in masks else None
    except (OSError, KeyError, RuntimeError) as error:
        raise MaskFileError(f"{path.name} is damaged or no mask file: {error}") from error


def _text(path: Path, name: str) -> str:
    try:
        with h5py.File(path, "r", locking=False) as file:
            note = file[f"entry/{name}"]
            if note.attrs["record_format"] != RECORD_FORMAT:
                raise MaskFileError(f"{path.name} was written by another release")
            return bytes(note["data"][...]).decode("ascii")
    except (OSError, KeyError, RuntimeError) as error:
        raise MaskFileError(f"{path.name} is damaged or no mask file: {error}") from error


def _read_text(path: Path, name: str, kind: type[T]) -> T:
    try:
        return from_json(kind, _text(path, name))
    except (ValueError, KeyError, TypeError) as error:
        raise MaskFileError(f"{path.name} holds another {name} than expected") from error
