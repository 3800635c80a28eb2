"""A bundle as one zip file: the manifest and the files it names, and nothing else.

The same bundle gives the same bytes: fixed order, fixed times, nothing compressed twice. Names and
sizes of a zip that comes in are checked before anything of it is written.
"""

import zipfile
import zlib
from pathlib import Path

from analysis.bundle import FILE_NAMES, LARGEST_FILE, MANIFEST_BYTES, MANIFEST_NAME, verified
from analysis.errors import BundleError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can state
FILE_MODE = 0o100644
UNIX = 3
ENCRYPTED = 0x1
LINK, KIND = 0o120000, 0o170000  # of the mode a Unix zip states
PIECE_BYTES = 2**20

DAMAGE = (
    EOFError,
    IndexError,  # a name of no letters
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def pack(folder: Path, target: Path) -> None:
    """Write the bundle of a folder as a zip, its hashes checked first.

    Args:
        folder: of a bundle; other files in it stay out.
        target: replaced where it is there.

    Raises:
        BundleError: the bundle is damaged.
        OSError: the zip cannot be written.
    """
    manifest = verified(folder)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in (MANIFEST_NAME, *sorted(manifest.files)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = FILE_MODE << 16
            archive.writestr(entry, (folder / name).read_bytes())


def unpack(source: Path, folder: Path) -> None:
    """Write the files of a zipped bundle into a folder; whether they are a bundle is not judged.

    A single folder round all of them, as file managers make it, is taken off.

    Args:
        source: the zip.
        folder: it exists, and is empty.

    Raises:
        BundleError: the file is no sound zip, or holds what no bundle has: another name, a path,
            a link, a file that is too large.
        OSError: the zip cannot be read or its files cannot be written.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            for name, entry in _named(source, entries).items():
                _copy(archive, entry, folder / name)
    except DAMAGE as error:
        raise BundleError(f"{source} is no sound zip file: {error}.") from error


def _named(source: Path, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Each entry under its plain name, if a bundle has such files."""
    around = {entry.filename.rpartition("/")[0] for entry in entries}
    prefix = around.pop() if len(around) == 1 else ""
    if "/" in prefix or prefix in (".", ".."):
        prefix = ""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename.removeprefix(f"{prefix}/") if prefix else entry.filename
        if name not in (MANIFEST_NAME, *FILE_NAMES):
            raise BundleError(f"{source} holds {entry.filename!r}, which no bundle has.")
        if name in found:
            raise BundleError(f"{source} holds {name} twice.")
        found[name] = entry
        _check(source, name, entry)
    if MANIFEST_NAME not in found:
        raise BundleError(f"{source} holds no {MANIFEST_NAME}: it is no bundle.")
    return found


def _check(source: Path, name: str, entry: zipfile.ZipInfo) -> None:
    limit = MANIFEST_BYTES if name == MANIFEST_NAME else LARGEST_FILE
    if entry.file_size > limit:
        raise BundleError(
            f"{source}: {name} unpacks to {entry.file_size} bytes, more than {limit}."
        )
    if entry.flag_bits & ENCRYPTED:
        raise BundleError(f"{source}: {name} is encrypted.")
    if (entry.external_attr >> 16) & KIND == LINK:
        raise BundleError(f"{source}: {name} is a link, not a file.")


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """The entry as a file; zipfile gives no more bytes than the size that was checked."""
    with archive.open(entry) as stream, target.open("xb") as file:
        while piece := stream.read(PIECE_BYTES):
            file.write(piece)
