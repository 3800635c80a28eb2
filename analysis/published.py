"""The weights published with the paper, as a bundle of ours.

Groschner, Choi and Scott (2021) published weights-only HDF5 files of Keras 2. Only arrays are
taken out of them, by h5py: nothing in such a file is run. Their network expects the 3x3-median
filtered micrograph divided by its maximum, at about 0.02 nm per pixel (recipe `published`); it
pools before the ReLU, and channel 1 is the particle, as `unet` builds it.
"""

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.bundle import Manifest
from analysis.errors import AnalysisError, BundleError
from analysis.features import FEATURE_NAMES, FEATURE_SET_VERSION
from analysis.forest import CLASS_NAMES
from analysis.readers.hdf5 import open_guarded

FILTERS = 4
MODEL_PIXEL_SIZE_NM = 0.02
PIXEL_SIZE_RANGE_NM = (0.01, 0.04)  # twice finer and twice coarser than what it was trained on
THRESHOLD = 0.5  # the paper's
LARGEST_FILE = 2**24  # bytes: 65,490 numbers and their names have 0.4 MB
MOST_LAYERS = 1000
PLAIN_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
UNKNOWN_LICENCE = "unknown"

Weights = list[NDArray[np.float32]]


def read_published(path: Path) -> Weights:
    """The arrays of the published network, in the order of `unet.build("published", 4)`.

    Raises:
        BundleError: the file is no weights-only HDF5 of Keras 2, leads outside itself, or holds
            arrays of another network.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise BundleError(f"{path} is too large for the published network.")
    try:
        with open_guarded(path) as file:
            found = _in_order(_layers(file))
    except AnalysisError as error:
        raise BundleError(f"{path} is not taken: {error}") from error
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BundleError(f"{path} is no Keras 2 file of weights: {error}.") from error
    _check_shapes(path, [weight.shape for weight in found])
    return found


def manifest(name: str, file_name: str, sha256: str) -> Manifest:
    """What is known of imported weights: how they are used, not under which licence.

    Args:
        name: of the bundle.
        file_name: the file they came from.
        sha256: of that file.
    """
    libraries = ("h5py", "keras", "numpy")
    return Manifest(
        name=name,
        version="published",
        architecture="published",
        filters=FILTERS,
        model_pixel_size_nm=MODEL_PIXEL_SIZE_NM,
        pixel_size_range_nm=PIXEL_SIZE_RANGE_NM,
        reliable_diameter_nm=0.0,
        imaging_modes=("TEM",),
        preprocess_recipe="published",
        threshold=THRESHOLD,
        feature_set=FEATURE_SET_VERSION,
        feature_names=FEATURE_NAMES,
        class_names=CLASS_NAMES,
        libraries={library: importlib.metadata.version(library) for library in libraries},
        training={
            "data": "published weights, imported; see Groschner, Choi and Scott (2021)",
            "file": file_name,
            "file_sha256": sha256,
            "code_version": importlib.metadata.version("fringewatch"),
        },
        metrics={},
        licence=UNKNOWN_LICENCE,
    )


def _layers(file: h5py.File) -> list[tuple[str, Weights]]:
    """Name and arrays of every layer that has any."""
    names = np.atleast_1d(file.attrs["layer_names"])
    if len(names) > MOST_LAYERS:
        raise ValueError(f"{len(names)} layers")
    layers = [(_text(name), file[_text(name)]) for name in names]
    return [
        (name, [_array(layer, _text(one)) for one in stated])
        for name, layer in layers
        if len(stated := np.atleast_1d(layer.attrs["weight_names"]))
    ]


def _in_order(layers: Sequence[tuple[str, Weights]]) -> Weights:
    """Each convolution and the normalisation of its number, then the last layer."""
    ranks = {"conv2d": 0, "batch_normalization": 1}
    keyed = []
    for name, weights in layers:
        numbered = re.fullmatch(r"(conv2d|batch_normalization)_(\d{1,3})", name)
        if numbered is None and name != "final_layer":
            raise ValueError(f"a layer {name!r}, which the published network does not have")
        number, kind = (int(numbered[2]), ranks[numbered[1]]) if numbered else (MOST_LAYERS, 0)
        keyed.append(((number, kind), weights))
    return [weight for _, weights in sorted(keyed, key=lambda one: one[0]) for weight in weights]


def _array(layer: h5py.Group, name: str) -> NDArray[np.float32]:
    stored = layer[name]
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind != "f":
        raise ValueError(f"{name!r} is no array of numbers")
    if stored.size > LARGEST_FILE // 4:
        raise ValueError(f"{name!r} declares {stored.size} numbers")
    plan = stored.id.get_create_plist()
    kinds = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if unknown := [kind for kind in kinds if kind not in PLAIN_FILTERS]:
        raise ValueError(f"{name!r} is packed by filter {unknown[0]}, which may be a plug-in")
    found = np.asarray(stored[()], np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"{name!r} holds a number that is not finite")
    return found


def _check_shapes(path: Path, found: Sequence[tuple[int, ...]]) -> None:
    wanted = [tuple(weight.shape) for weight in unet.build("published", FILTERS).weights]
    for index, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            raise BundleError(
                f"{path} is of another network: array {index} has the shape {one}, "
                f"the published one {other}."
            )
    if len(found) != len(wanted):
        raise BundleError(
            f"{path} is of another network: {len(found)} arrays, the published one {len(wanted)}."
        )


def _text(name: bytes | str) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
