"""Where models lie: the one that ships, and those a user has taken in below the state folder.

A configuration names a model by its name here, or by a folder, which is written with a `/`.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from analysis import bundle_zip
from analysis.bundle import (
    MANIFEST_NAME,
    NAME,
    Manifest,
    default_folder,
    load,
    read_manifest,
    verified,
    write,
)
from analysis.errors import BundleError
from daemon.config import DEFAULT_BUNDLE, is_bundle_name
from daemon.errors import DaemonError, Misused
from daemon.quiet import native_stderr_held
from schema.durable import make_folder, sync_folder
from schema.state import StateFolder


class BundleRefused(DaemonError):
    """A model is missing, damaged or not what it says; the message is that of the check."""


def bundle_folder(state: Path, named: str) -> Path:
    """Where the model of this name or folder lies; whether it is there is not asked."""
    if named == DEFAULT_BUNDLE:
        return default_folder()
    if is_bundle_name(named):
        return _root(state) / named
    return Path(named).expanduser()


def found(state: Path, named: str) -> Path:
    """The folder of a model that is there.

    Raises:
        BundleRefused: there is none.
    """
    folder = bundle_folder(state, named)
    if not (folder / MANIFEST_NAME).is_file():
        raise BundleRefused(missing(state, named))
    return folder


def intact(state: Path, named: str) -> Manifest:
    """The manifest of a model whose files all have the hashes it states.

    Raises:
        BundleRefused: there is none, or a file is missing or damaged.
    """
    try:
        return verified(found(state, named))
    except BundleError as error:
        raise BundleRefused(str(error)) from error


def missing(state: Path, named: str) -> str:
    """What to say where no model lies under a name or in a folder."""
    if not is_bundle_name(named):
        return f"{named} holds no model: there is no {MANIFEST_NAME} in it"
    there = ", ".join(names(state))
    return (
        f"no bundle is called {named!r} in {_root(state)}, where there are: {there}; "
        f"a folder is written with a /, such as ./{named}"
    )


def names(state: Path) -> list[str]:
    """Every model by its name: the one that ships first."""
    root = _root(state)
    taken = sorted(path.parent.name for path in root.glob(f"[!.]*/{MANIFEST_NAME}"))
    return [DEFAULT_BUNDLE, *taken]


def take(state: Path, source: Path, name: str | None) -> tuple[str, Manifest]:
    """Take in a zip or a folder, once everything in it was found to be right; its name.

    The network is built and the forest asked, so that what is taken in works.

    Args:
        state: the state folder.
        source: a zip file, or the folder of a model.
        name: to keep it under; None takes the one in its manifest.

    Raises:
        BundleRefused: it is damaged, or not what its manifest says.
        Misused: the name is taken, or is none.
        OSError: it cannot be read, or the state folder cannot be written.
    """
    if not source.exists():
        raise Misused(f"{source} is not there")
    fill = _copied if source.is_dir() else bundle_zip.unpack
    return _taken(state, source, name, lambda folder: fill(source, folder))


def take_published(state: Path, source: Path, name: str | None) -> tuple[str, Manifest]:
    """Take in weights published with the paper; the name is that of the file where None is given.

    Raises:
        BundleRefused: the file holds another network, or more than arrays.
        Misused: the name is taken, or is none.
        OSError: the file cannot be read, or the state folder cannot be written.
    """
    from analysis import published

    if not source.is_file():
        raise Misused(f"{source} is no file")
    chosen = source.stem if name is None else name

    def fill(folder: Path) -> None:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        with native_stderr_held():
            weights = published.read_published(source)
        write(folder, published.manifest(_name(chosen), source.name, digest), weights)

    return _taken(state, source, chosen, fill)


def give(state: Path, named: str, target: Path) -> Manifest:
    """Write a model as one zip file; its manifest.

    Raises:
        BundleRefused: there is no such model, or it is damaged.
        OSError: the file cannot be written.
    """
    folder = found(state, named)
    try:
        bundle_zip.pack(folder, target)
        return read_manifest(folder)
    except BundleError as error:
        raise BundleRefused(_sentence(error)) from error


def manifest_of(state: Path, named: str) -> Manifest:
    """What a model says of itself, its files checked against their hashes.

    Raises:
        BundleRefused: there is no such model, or it is damaged.
    """
    try:
        return verified(found(state, named))
    except BundleError as error:
        raise BundleRefused(_sentence(error)) from error


def _taken(
    state: Path, source: Path, name: str | None, fill: Callable[[Path], None]
) -> tuple[str, Manifest]:
    """Fill a folder beside the others, check it, and give it its name in one step."""
    root = _root(state)
    make_folder(root)
    with tempfile.TemporaryDirectory(prefix=".taking-", dir=root) as holder:
        folder = Path(holder) / "bundle"
        folder.mkdir()
        try:
            fill(folder)
            manifest = read_manifest(folder)
            place = _free_place(root, manifest, _name(manifest.name if name is None else name))
            with native_stderr_held():
                load(folder, "cpu")
        except BundleError as error:
            raise BundleRefused(_about(source, error, folder)) from error
        folder.rename(place)
        sync_folder(root)
    return place.name, manifest


def _copied(source: Path, folder: Path) -> None:
    """Only what the manifest names: a folder of training holds checkpoints and curves besides."""
    manifest = read_manifest(source)
    for name in (MANIFEST_NAME, *manifest.files):
        if not (source / name).is_file():
            raise BundleError(f"{source / name} is not there.")
        shutil.copyfile(source / name, folder / name)


def _free_place(root: Path, manifest: Manifest, name: str) -> Path:
    place = root / name
    if not place.exists():
        return place
    try:
        same = read_manifest(place).sha256 == manifest.sha256
    except BundleError:
        same = False
    if same:
        raise Misused(f"this very bundle is there already, as {name!r}")
    raise Misused(f"another bundle is called {name!r}; choose a name with --name")


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text == DEFAULT_BUNDLE:
        raise Misused(
            f"{text!r} cannot be the name of a bundle: letters, digits, '.', '_' and '-', "
            f"at most 64, and not {DEFAULT_BUNDLE!r}"
        )
    return text


def _root(state: Path) -> Path:
    return StateFolder(state).bundles


def _sentence(error: BundleError) -> str:
    """The check's own words, without their full stop."""
    return str(error).rstrip(".")


def _about(source: Path, error: BundleError, folder: Path) -> str:
    """The same, of the file it came from and not of the folder it was looked at in."""
    words = _sentence(error).replace(f"{folder}/", "").replace(str(folder), "it")
    return words if str(source) in words else f"{source} is not taken: {words}"
