"""Several hundred files that are no good micrographs, each small, seeded and of a known kind.

What becomes of each is known beforehand: a state of the ledger and the codes that may stand there.
Only a single flipped bit may do no harm: then the picture must be the one that was written.
"""

import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray

from analysis.errors import ErrorCode
from analysis.simulation.files import write_ncem_emd, write_tiff
from tests.acceptance.small import PIXEL_SIZE_NM, disc
from tests.analysis.readers.samples import (
    DM_COLOUR,
    DM_COMPLEX,
    write_dm3,
    write_every_family,
    write_png,
)

SUFFIXES = (
    *(".dm3", ".dm4", ".emd", ".h5", ".hdf5", ".mrc", ".mrcs", ".png", ".ser", ".tif", ".tiff"),
    ".tvips",
)
MAGICS = {
    ".dm3": struct.pack(">3I", 3, 4000, 1),
    ".dm4": struct.pack(">IQI", 4, 4000, 1),
    ".emd": b"\x89HDF\r\n\x1a\n",
    ".h5": b"\x89HDF\r\n\x1a\n",
    ".png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ".ser": struct.pack("<HHHII", 0x4949, 0x0197, 0x220, 0x4122, 0x4152),
    ".tif": b"II*\0\x08\0\0\0",
    ".mrc": struct.pack("<4i", 96, 96, 1, 1),
}
BROKEN = frozenset({ErrorCode.UNREADABLE, ErrorCode.TRUNCATED, ErrorCode.TOO_LARGE})
CUTS = (0.05, 0.3, 0.5, 0.75, 0.95)
FLIPS = 20
# A bit of their offsets or sides can choose other bytes of the file, and no checksum tells: of 1500
# flips outside the pixels 4, 2 and 8 gave another picture without a word.
WITHOUT_CHECKS = ("a.tif", "a.ser", "chunked.h5")
BOMB_SIDE_PX = 4200
DEPTH = 2000

Write = Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One bad file; `codes`: what may be said of it, `may_be_whole`: unless it does no harm."""

    kind: str
    suffix: str
    content: bytes
    codes: frozenset[ErrorCode]
    may_be_whole: bool = False


def specimens(folder: Path, seed: int = 0) -> list[Specimen]:
    """All of them, one of each kind after the other; `folder` is for the files they are made of."""
    rng = random.Random(seed)
    folder.mkdir()
    image = disc(0)
    whole = {path.name: path.read_bytes() for path in write_every_family(folder, image)}
    found = [
        *_no_files(rng),
        *_other_formats(whole),
        *_cut_and_overwritten(whole, rng),
        *_flipped(whole, rng),
        *_huge(whole),
        *_nothing_to_see(folder),
        *_no_plain_images(folder),
        *_going_round(folder),
        *_leading_outside(folder),
        *_growing(folder),
    ]
    by_kind: dict[str, list[Specimen]] = defaultdict(list)
    for specimen in found:
        by_kind[specimen.kind].append(specimen)
    in_turn = zip_longest(*by_kind.values())
    return [specimen for turn in in_turn for specimen in turn if specimen is not None]


def _no_files(rng: random.Random) -> Iterator[Specimen]:
    for suffix in SUFFIXES:
        empty = frozenset({ErrorCode.EMPTY_FILE})
        yield Specimen(kind="empty", suffix=suffix, content=b"", codes=empty)
        for size in (10, 3000):
            content = rng.randbytes(size)
            yield Specimen(kind="random bytes", suffix=suffix, content=content, codes=BROKEN)
    for suffix, magic in MAGICS.items():
        for size in (30, 4000):
            content = magic + rng.randbytes(size)
            kind, codes = "random bytes after a true beginning", BROKEN | {ErrorCode.NO_IMAGE}
            yield Specimen(kind=kind, suffix=suffix, content=content, codes=codes)


def _other_formats(whole: Mapping[str, bytes]) -> Iterator[Specimen]:
    originals = ("a.tif", "a.mrc", "a.emd", "a.ser", "a.png", "a.dm3", "a_000.tvips")
    for name in originals:
        for other in originals:
            suffix = Path(other).suffix
            if name != other:
                content = whole[name]
                yield Specimen(kind="wrong suffix", suffix=suffix, content=content, codes=BROKEN)


def _cut_and_overwritten(whole: Mapping[str, bytes], rng: random.Random) -> Iterator[Specimen]:
    for name, content in whole.items():
        suffix = Path(name).suffix
        for cut in CUTS:
            short = content[: int(cut * len(content))]
            yield Specimen(kind="cut short", suffix=suffix, content=short, codes=BROKEN)
        for beginning in (bytes(64), rng.randbytes(64)):
            spoilt = beginning + content[64:]
            kind = "beginning overwritten"
            yield Specimen(kind=kind, suffix=suffix, content=spoilt, codes=BROKEN)


def _flipped(whole: Mapping[str, bytes], rng: random.Random) -> Iterator[Specimen]:
    """One bit each, never in pixels stored as they are: there every value is as good as another."""
    image = disc(0)
    for name, content in whole.items():
        if name in WITHOUT_CHECKS:
            continue
        starts = (content.find(rows.tobytes()) for rows in (image, image[::-1]))
        start = max(starts)
        pixels = range(start, start + image.nbytes) if start >= 0 else range(0)
        structure = [at for at in range(len(content)) if at not in pixels]
        for at in rng.sample(structure, FLIPS):
            flipped = bytearray(content)
            flipped[at] ^= 1 << rng.randrange(8)
            yield Specimen(
                kind="one bit flipped",
                suffix=Path(name).suffix,
                content=bytes(flipped),
                codes=frozenset(ErrorCode),
                may_be_whole=True,
            )


def _huge(whole: Mapping[str, bytes]) -> Iterator[Specimen]:
    """Headers that declare more than any detector has."""
    many = 2**31 - 1
    patches = (
        ("a.mrc", 0, struct.pack("<3i", many, many, 1)),
        ("a.mrc", 0, struct.pack("<3i", 512, 512, many)),
        ("a.mrc", 0, struct.pack("<3i", 16384, 16384, 4000)),
        ("a.ser", 14, struct.pack("<II", many, many)),
        ("a_000.tvips", 8, struct.pack("<II", many, many)),
        ("a.png", 16, struct.pack(">II", many, many)),
        ("a.tif", _value_of_tag(whole["a.tif"], 256), struct.pack("<H", 65535)),
        ("compressed.tif", _value_of_tag(whole["compressed.tif"], 257), struct.pack("<H", 65535)),
    )
    for name, at, patch in patches:
        content = whole[name][:at] + patch + whole[name][at + len(patch) :]
        suffix, kind = Path(name).suffix, "huge dimensions"
        yield Specimen(kind=kind, suffix=suffix, content=content, codes=BROKEN)


def _value_of_tag(tiff: bytes, tag: int) -> int:
    """Where the value of a tag of the first page stands: a short or a long number."""
    found = (tiff.find(struct.pack("<HHI", tag, kind, 1)) for kind in (3, 4))
    return max(found) + 8


def _nothing_to_see(folder: Path) -> Iterator[Specimen]:
    """Numbers that are none, one value only, no rows, too few of them."""
    for poison in (np.nan, np.inf, -np.inf):
        image = disc(0).astype(np.float32)
        image[3, 5] = poison
        for write in (_tif, _emd):
            codes = frozenset({ErrorCode.NOT_FINITE})
            yield _written(folder, "not finite", write, image, codes)
    for value in (0, 1, 65535):
        blank = np.full((64, 64), value, np.uint16)
        yield from _in_every_family(folder, "constant", blank, {ErrorCode.CONSTANT})
    for shape in ((1, 1), (1, 96)):
        tiny = np.arange(1, 1 + np.prod(shape), dtype=np.uint16).reshape(shape)
        yield from _in_every_family(folder, "1 x N", tiny, {ErrorCode.TOO_SMALL})
    with h5py.File(folder / "none.h5", "w") as file:
        file.create_dataset("image", (0, 64), "u2")
    codes = BROKEN | {ErrorCode.NO_IMAGE, ErrorCode.TOO_SMALL, ErrorCode.NOT_TWO_DIMENSIONAL}
    contents = [(".h5", (folder / "none.h5").read_bytes())]
    for name, at in (("a.mrc", 0), ("a.mrc", 4), ("a_000.tvips", 8), ("a_000.tvips", 12)):
        content = bytearray((folder / name).read_bytes())
        content[at : at + 4] = bytes(4)
        contents.append((Path(name).suffix, bytes(content)))
    for suffix, emptied in contents:
        yield Specimen(kind="0 x N", suffix=suffix, content=emptied, codes=codes)


def _no_plain_images(folder: Path) -> Iterator[Specimen]:
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:, :32, 0] = 200
    yield _written(folder, "colour", _rgb_tif, colour, {ErrorCode.COLOUR})
    yield _written(folder, "colour", _png, colour, {ErrorCode.COLOUR})
    waves = (disc(0) * np.exp(1j)).astype(np.complex64)
    codes = frozenset({ErrorCode.COMPLEX_VALUED})
    yield _written(folder, "complex", _bare_tif, waves, codes)
    with h5py.File(folder / "complex.h5", "w") as file:
        file["image"] = waves
    content = (folder / "complex.h5").read_bytes()
    yield Specimen(kind="complex", suffix=".h5", content=content, codes=codes)
    for mode in (3, 4):
        fourier = bytearray((folder / "a.mrc").read_bytes())
        fourier[12:16] = struct.pack("<i", mode)
        yield Specimen(kind="complex", suffix=".mrc", content=bytes(fourier), codes=codes)
    for kind, data_type in (("complex", DM_COMPLEX), ("colour", DM_COLOUR)):
        write_dm3(folder / "x.dm3", disc(0), data_type=data_type)
        content = (folder / "x.dm3").read_bytes()
        anything = frozenset({ErrorCode.COLOUR, ErrorCode.COMPLEX_VALUED}) | BROKEN
        yield Specimen(kind=kind, suffix=".dm3", content=content, codes=anything)


def _going_round(folder: Path) -> Iterator[Specimen]:
    """Chains and trees without an end, or nearly."""
    for pages in (1, 2, 5):
        path = folder / "round.tif"
        path.unlink(missing_ok=True)
        for number in range(pages):
            tifffile.imwrite(path, disc(number), append=True)
        content = path.read_bytes()
        with tifffile.TiffFile(path) as tif:
            first, last = tif.pages[0].offset, tif.pages[-1].offset
        (tags,) = struct.unpack_from("<H", content, last)
        end = last + 2 + 12 * tags
        for back_to in {first, last}:
            circle = content[:end] + struct.pack("<I", back_to) + content[end + 4 :]
            yield Specimen(kind="cyclic pages", suffix=".tif", content=circle, codes=BROKEN)
    with h5py.File(folder / "deep.h5", "w") as file:
        group = file
        for _ in range(DEPTH):
            group = group.create_group("d")
    groups = (0).to_bytes(1, "big") * 2 + struct.pack(">I", 1) + struct.pack(">BH", 20, 1) + b"d"
    tree = groups * DEPTH
    deep = {
        ".h5": (folder / "deep.h5").read_bytes(),
        ".emd": (folder / "deep.h5").read_bytes(),
        ".dm3": struct.pack(">3I", 3, len(tree), 1) + tree,
    }
    codes = BROKEN | {ErrorCode.NO_IMAGE}
    for suffix, content in deep.items():
        yield Specimen(kind="deep nesting", suffix=suffix, content=content, codes=codes)


def _leading_outside(folder: Path) -> Iterator[Specimen]:
    """HDF5 that points at other files: whatever lies there must not come in."""
    other = "/etc/passwd"
    with h5py.File(folder / "link.h5", "w") as file:
        file["image"] = h5py.ExternalLink(str(folder / "a.emd"), "/data/simulated/data")
    with h5py.File(folder / "deeplink.h5", "w") as file:
        file["image"] = disc(0)
        file.create_group("below/further")["out"] = h5py.ExternalLink(other, "/")
    with h5py.File(folder / "storage.h5", "w") as file:
        file.create_dataset("image", (32, 32), "u1", external=[(other, 0, 1024)])
    with h5py.File(folder / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((96, 96), "u2")
        layout[:] = h5py.VirtualSource(folder / "a.emd", "data/simulated/data", (96, 96))
        file.create_virtual_dataset("image", layout)
    for name in ("link", "deeplink", "storage", "virtual"):
        for suffix in (".h5", ".emd"):
            content = (folder / f"{name}.h5").read_bytes()
            codes = frozenset({ErrorCode.LINKS_OUTSIDE})
            yield Specimen(kind="evil HDF5", suffix=suffix, content=content, codes=codes)


def _growing(folder: Path) -> Iterator[Specimen]:
    """Small files that would expand to what nobody has room for."""
    zeros = np.zeros((BOMB_SIDE_PX, BOMB_SIDE_PX), np.uint16)
    zeros[0, :9] = range(9)
    codes = frozenset({ErrorCode.TOO_LARGE})
    yield _written(folder, "decompression bomb", _zlib_tif, zeros, codes)
    with h5py.File(folder / "bomb.h5", "w") as file:
        chunks = (BOMB_SIDE_PX // 4, BOMB_SIDE_PX)
        file.create_dataset("image", data=zeros, chunks=chunks, compression="gzip")
    content = (folder / "bomb.h5").read_bytes()
    yield Specimen(kind="decompression bomb", suffix=".h5", content=content, codes=codes)
    yield _written(folder, "decompression bomb", _png, zeros, codes)
    with h5py.File(folder / "hole.h5", "w") as file:
        file.create_dataset("image", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024))
    content = (folder / "hole.h5").read_bytes()
    yield Specimen(kind="huge dimensions", suffix=".h5", content=content, codes=codes)


def _in_every_family(
    folder: Path, kind: str, image: NDArray[np.uint16], codes: set[ErrorCode]
) -> Iterator[Specimen]:
    place = folder / "family"
    place.mkdir(exist_ok=True)
    for path in write_every_family(place, image):
        content, suffix = path.read_bytes(), path.suffix
        yield Specimen(kind=kind, suffix=suffix, content=content, codes=frozenset(codes))


def _written(
    folder: Path,
    kind: str,
    write: Callable[[Path, NDArray[np.generic]], str],
    image: NDArray[np.generic],
    codes: frozenset[ErrorCode] | set[ErrorCode],
) -> Specimen:
    path = folder / "written"
    suffix = write(path, image)
    return Specimen(kind=kind, suffix=suffix, content=path.read_bytes(), codes=frozenset(codes))


def _tif(path: Path, image: NDArray[np.generic]) -> str:
    write_tiff(path, image, PIXEL_SIZE_NM)
    return ".tif"


def _emd(path: Path, image: NDArray[np.generic]) -> str:
    write_ncem_emd(path, image, PIXEL_SIZE_NM)
    return ".emd"


def _bare_tif(path: Path, image: NDArray[np.generic]) -> str:
    tifffile.imwrite(path, image)
    return ".tif"


def _rgb_tif(path: Path, image: NDArray[np.generic]) -> str:
    tifffile.imwrite(path, image, photometric="rgb")
    return ".tif"


def _zlib_tif(path: Path, image: NDArray[np.generic]) -> str:
    tifffile.imwrite(path, image, compression="zlib")
    return ".tif"


def _png(path: Path, image: NDArray[np.generic]) -> str:
    write_png(path.with_suffix(".png"), image)
    path.with_suffix(".png").rename(path)
    return ".png"
