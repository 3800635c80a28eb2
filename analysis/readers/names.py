"""Which file names belong together.

Pure: names in, names out. A `.ser` holds the pixels and its `.emi` the settings; an `.mdoc` states
what its `.mrc` cannot; a long TVIPS stream goes on in `_001.tvips`.
"""

import re
from collections.abc import Collection
from os.path import splitext  # of 30,000 names in a walk, a pathlib object each took half the time
from pathlib import PurePath

ARCHIVE_SUFFIXES = frozenset({".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".zst", ".rar"})
IMAGE_SUFFIXES = frozenset(
    {
        *(".dm3", ".dm4", ".emd", ".ser", ".mrc", ".mrcs", ".tif", ".tiff", ".png"),
        *(".h5", ".hdf5", ".tvips"),
    }
)
METADATA_SUFFIXES = frozenset({".emi", ".mdoc"})
MICROGRAPH_SUFFIXES = IMAGE_SUFFIXES | METADATA_SUFFIXES | ARCHIVE_SUFFIXES

_SER_NUMBER = re.compile(r"_\d+$")
_TVIPS_PART = re.compile(r"_(\d{3})\.tvips$", re.IGNORECASE)
_DOUBLE_SUFFIXES = frozenset({".ome", ".tar"})


def suffix_of(name: str) -> str:
    """Lower-case last suffix, with its dot."""
    return splitext(name)[1].lower()


def companion_names(name: str, siblings: Collection[str]) -> tuple[str, ...]:
    """Files beside `name` that state something about it, in order of name.

    Args:
        name: the primary file.
        siblings: names in the same folder.
    """
    others = (other for other in siblings if other != name)
    return tuple(sorted(other for other in others if primary_of(other, (name,)) == name))


def primary_of(name: str, siblings: Collection[str]) -> str | None:
    """The file whose companion `name` is; `name` itself where it is its own primary.

    None where `name` is no file of a microscope at all. Of several `.ser` of one `.emi` the first
    by name is given; `companion_names` finds the `.emi` for each of them.
    """
    suffix = suffix_of(name)
    if suffix not in MICROGRAPH_SUFFIXES:
        return None
    if suffix == ".tvips":
        first = _TVIPS_PART.sub("_000.tvips", name)
        return first if first in siblings else name
    if suffix not in METADATA_SUFFIXES:
        return name
    mine = _sers_of_emi if suffix == ".emi" else _images_of_mdoc
    found = sorted(other for other in siblings if mine(name, other))
    return found[0] if found else name


def _sers_of_emi(emi_name: str, other: str) -> bool:
    return suffix_of(other) == ".ser" and _without_number(other) == emi_name[: -len(".emi")]


def _images_of_mdoc(mdoc_name: str, other: str) -> bool:
    documented = mdoc_name[: -len(".mdoc")]
    if suffix_of(other) not in {".mrc", ".mrcs", ".tif", ".tiff"}:
        return False
    return documented in (other, splitext(other)[0])


def _without_number(ser_name: str) -> str:
    return _SER_NUMBER.sub("", splitext(ser_name)[0])


def field_of_view_stem(name: str) -> str:
    """Name of the field of view: the same stem in two formats is one field.

    >>> field_of_view_stem("Au_0042_1.ser"), field_of_view_stem("Au_0042.emi")
    ('Au_0042', 'Au_0042')
    """
    path = PurePath(name)
    if path.suffix.lower() == ".ser":
        return _without_number(name)
    if _TVIPS_PART.search(name):
        return _TVIPS_PART.sub("", name)
    if path.suffix.lower() in ARCHIVE_SUFFIXES | {".mdoc"}:
        path = PurePath(path.stem)
        if path.suffix.lower() not in MICROGRAPH_SUFFIXES | _DOUBLE_SUFFIXES:
            return path.name
    stem = PurePath(path.stem)
    return stem.stem if stem.suffix.lower() in _DOUBLE_SUFFIXES else path.stem


def grouped(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Every primary file of one folder with its companions, in one pass over the names.

    Files that are no microscope's come as their own primaries too: someone must say so of them.
    """
    metadata: dict[str, list[str]] = {}
    for name in names:
        if suffix_of(name) in METADATA_SUFFIXES:
            metadata.setdefault(splitext(name)[0], []).append(name)
    companions: dict[str, tuple[str, ...]] = {}
    for name in names:
        if suffix_of(name) not in METADATA_SUFFIXES:
            keys = {name, splitext(name)[0], _without_number(name)}
            near = [other for key in keys for other in metadata.get(key, ())]
            companions[name] = companion_names(name, near)
    taken = {other for group in companions.values() for other in group}
    alone = (other for group in metadata.values() for other in group if other not in taken)
    return companions | dict.fromkeys(alone, ())
