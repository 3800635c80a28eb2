"""One folder is one model: manifest, U-Net weights, forest, and the SHA-256 of each.

A hash is checked before its file is parsed, and no file can carry code: JSON, plain arrays, and a
forest of known types. The network itself is defined in `unet`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import read_arrays
from analysis.errors import BundleError
from analysis.features import FEATURE_NAMES, PUBLISHED_FEATURE_NAMES, PUBLISHED_FEATURES
from analysis.forest import Forest
from analysis.preprocess import PreprocessRecipe
from analysis.segment import Segmenter

MANIFEST_NAME = "manifest.json"
UNET_NAME = "unet.npz"
FOREST_NAME = "forest.skops"
FOREST_CHECK_NAME = "forest_check.npz"
FILE_NAMES = (UNET_NAME, FOREST_NAME, FOREST_CHECK_NAME)
MANIFEST_BYTES = 2**20
LARGEST_FILE = 2**27  # bytes: sixty-four first filters have 67 MB of weights
MOST_FILTERS = 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FOREST_TOLERANCE = 1e-6
LARGEST_CHECK = 200


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a model is, what it was made from, and where it holds.

    `pixel_size_range_nm`: lowest and highest pixel side it was trained for, in nm.
    `reliable_diameter_nm`: below this equivalent diameter its particles are not counted.
    `feature_set`, `feature_names`: what is computed of each particle, in the forest's order.
    `training`, `metrics`, `domain`: as measured, for people; `domain` says between which doses,
    defoci and sizes the model was found to be reliable.
    `files`: SHA-256 of each file beside the manifest; `sha256`: of the manifest itself.
    """

    name: str
    version: str
    architecture: str
    filters: int
    model_pixel_size_nm: float
    pixel_size_range_nm: tuple[float, float]
    reliable_diameter_nm: float
    imaging_modes: tuple[str, ...]
    preprocess_recipe: str
    threshold: float
    feature_set: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    libraries: Mapping[str, str]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    licence: str
    domain: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A model ready to use; `forest` is None where the bundle only segments."""

    manifest: Manifest
    segmenter: Segmenter
    forest: Forest | None


def default_folder() -> Path:
    """Where the bundle that ships with the package lies."""
    return Path(__file__).parent / "bundles" / "default"


def read_manifest(folder: Path) -> Manifest:
    """What the folder says its model is; loads no network.

    Raises:
        BundleError: no manifest, or one that is damaged or incomplete.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as stream:
            content = stream.read(MANIFEST_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{folder} holds no model: {error.strerror}.") from error
    if len(content) > MANIFEST_BYTES:
        raise BundleError(f"{path} is too long for a manifest.")
    try:
        stated = json.loads(content)
        return _manifest(stated, hashlib.sha256(content).hexdigest())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleError(f"{path} is no complete manifest: {error}.") from error


def verified(folder: Path) -> Manifest:
    """The manifest of a folder whose files all have the hashes it states; loads no network.

    Raises:
        BundleError: a file is missing, too large or damaged, or the manifest is no good.
    """
    manifest = read_manifest(folder)
    if UNET_NAME not in manifest.files:
        raise BundleError(f"{folder} names no {UNET_NAME}.")
    for name, digest in manifest.files.items():
        _checked(folder, name, digest)
    return manifest


def load(folder: Path, device: str = "auto") -> Bundle:
    """The model in a folder, each file checked before it is parsed.

    Args:
        folder: with a manifest and the files it names.
        device: "auto", "cpu" or "gpu:N", as in `Segmenter`.

    Raises:
        BundleError: a file is missing, damaged, or not what the manifest describes.
    """
    manifest = verified(folder)
    _check_features(manifest)
    contents = {name: folder / name for name in manifest.files}
    return Bundle(
        manifest=manifest,
        segmenter=_segmenter(manifest, contents[UNET_NAME], device),
        forest=_forest(manifest, contents),
    )


def stored_weights(folder: Path) -> list[NDArray[np.float32]]:
    """The weights of the U-Net in its own order; whether they fit is not asked.

    Raises:
        BundleError: the file is missing or damaged.
    """
    try:
        stored = read_arrays(folder / UNET_NAME, LARGEST_FILE)
    except (ValueError, OSError) as error:
        raise BundleError(f"{folder / UNET_NAME} holds no weights: {error}.") from error
    return [stored[name] for name in sorted(stored)]


def stored_check_features(folder: Path) -> NDArray[np.float64]:
    """The features whose predictions are stored beside the forest, (n, F).

    Raises:
        BundleError: the file is missing or damaged.
    """
    try:
        features = read_arrays(folder / FOREST_CHECK_NAME, LARGEST_FILE)["features"]
    except (ValueError, KeyError, OSError) as error:
        raise BundleError(f"{folder / FOREST_CHECK_NAME} holds no features: {error}.") from error
    return np.asarray(features, np.float64)


def write(
    folder: Path,
    manifest: Manifest,
    weights: Sequence[NDArray[np.float32]],
    forest: Forest | None = None,
    check_features: NDArray[np.float64] | None = None,
) -> Manifest:
    """Write a model into a folder; the manifest as written, with the hashes of its files.

    Args:
        folder: made where it does not exist; files of the same names are replaced.
        manifest: without `files` and `sha256`, which are found here.
        weights: of the U-Net, in its own order.
        forest: of the classes; None where the bundle only segments.
        check_features: (n, F), whose predictions are stored and must come back at every load.

    Raises:
        ValueError: a forest without features to check it by.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"weight_{index:03d}": weight for index, weight in enumerate(weights)}
    np.savez_compressed(folder / UNET_NAME, **arrays)  # type: ignore[arg-type]
    names = [UNET_NAME]
    if forest is not None:
        if check_features is None or not len(check_features):
            raise ValueError("a forest needs features to check it by")
        kept = np.asarray(check_features[:LARGEST_CHECK], np.float64)
        forest.save(folder / FOREST_NAME)
        np.savez_compressed(
            folder / FOREST_CHECK_NAME, features=kept, probabilities=forest.probabilities(kept)
        )
        names += [FOREST_NAME, FOREST_CHECK_NAME]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    return restated(folder, replace(manifest, files=digests))


def restated(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest of a bundle anew, its other files as they are; the manifest as written.

    Args:
        folder: of the bundle.
        manifest: with the `files` of the one before; its `sha256` is found here.
    """
    stated = asdict(manifest)
    stated.pop("sha256")
    (folder / MANIFEST_NAME).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")
    return read_manifest(folder)


def _manifest(stated: Any, sha256: str) -> Manifest:
    if not isinstance(stated, dict):
        raise TypeError("not a table of keys")
    known = {entry.name for entry in fields(Manifest)} - {"sha256"}
    if unknown := sorted(set(stated) - known):
        raise ValueError(f"unknown keys {unknown}")
    low, high = (float(side) for side in stated["pixel_size_range_nm"])
    values = dict(stated)
    values["pixel_size_range_nm"] = (low, high)
    for name in ("imaging_modes", "feature_names", "class_names"):
        values[name] = tuple(str(entry) for entry in stated[name])
    manifest = Manifest(**values, sha256=sha256)
    _check_types(manifest)
    _check_ranges(manifest)
    return manifest


def _check_types(manifest: Manifest) -> None:
    words = ("name", "version", "architecture", "feature_set", "licence")
    if wrong := [name for name in words if not isinstance(getattr(manifest, name), str)]:
        raise TypeError(f"{wrong[0]} is no text")
    tables = ("libraries", "training", "metrics", "domain", "files")
    if wrong := [name for name in tables if not isinstance(getattr(manifest, name), dict)]:
        raise TypeError(f"{wrong[0]} is no table of keys")
    if not NAME.fullmatch(manifest.name):
        raise ValueError(
            f"the name {manifest.name!r} holds more than letters, digits, '.', '_', '-'"
        )
    if manifest.preprocess_recipe not in get_args(PreprocessRecipe):
        raise ValueError(f"no preprocessing is called {manifest.preprocess_recipe!r}")


def _check_ranges(manifest: Manifest) -> None:
    low, high = manifest.pixel_size_range_nm
    numbers_hold = (
        0 < low < high < float("inf"),
        0 < manifest.model_pixel_size_nm < float("inf"),
        0 < manifest.threshold < 1,
        manifest.reliable_diameter_nm >= 0,
        type(manifest.filters) is int and 0 < manifest.filters <= MOST_FILTERS,
    )
    if not all(numbers_hold):
        raise ValueError("a number outside its range")
    if unknown := sorted(set(manifest.files) - set(FILE_NAMES)):
        raise ValueError(f"unknown files {unknown}")


def _check_features(manifest: Manifest) -> None:
    published = manifest.feature_set == PUBLISHED_FEATURES
    known = PUBLISHED_FEATURE_NAMES if published else FEATURE_NAMES
    if unknown := sorted(set(manifest.feature_names) - set(known)):
        raise BundleError(
            f"{manifest.name} wants the feature {unknown[0]!r} of the set "
            f"{manifest.feature_set!r}, which this release does not compute."
        )


def _checked(folder: Path, name: str, digest: str) -> Path:
    """The path of a file whose content has the stated hash."""
    path = folder / name
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise BundleError(f"{path} has {size} bytes; no file of a model has so many.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    if found != digest:
        raise BundleError(f"{path} is damaged: its SHA-256 is not the one in the manifest.")
    return path


def _segmenter(manifest: Manifest, path: Path, device: str) -> Segmenter:
    weights = stored_weights(path.parent)
    try:
        if not all(np.isfinite(weight).all() for weight in weights):
            raise ValueError("a weight that is not finite")
        return Segmenter(manifest.architecture, manifest.filters, weights, device=device)
    except ValueError as error:
        raise BundleError(f"{path} does not fit its network: {error}.") from error


def _forest(manifest: Manifest, contents: Mapping[str, Path]) -> Forest | None:
    """The forest, if it still predicts what it predicted when it was stored."""
    if FOREST_NAME not in contents:
        return None
    if FOREST_CHECK_NAME not in contents:
        raise BundleError(f"{FOREST_NAME} comes without {FOREST_CHECK_NAME}.")
    forest = Forest.load(contents[FOREST_NAME])
    try:
        stored = read_arrays(contents[FOREST_CHECK_NAME], LARGEST_FILE)
        features, expected = stored["features"], stored["probabilities"]
        found = forest.probabilities(features)
    except (ValueError, KeyError, OSError) as error:
        raise BundleError(f"{FOREST_NAME} does not take its features: {error}.") from error
    if found.shape != expected.shape or np.abs(found - expected).max() > FOREST_TOLERANCE:
        made_with = manifest.libraries.get("scikit-learn", "an unknown version")
        raise BundleError(
            f"{FOREST_NAME} no longer predicts what it did with scikit-learn {made_with}."
        )
    return forest
