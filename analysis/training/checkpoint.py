"""Where a training stands: everything needed to go on after an interruption, as plain arrays.

Weights now, their running mean, the best so far, the optimiser, and the history of the losses.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import read_arrays

if TYPE_CHECKING:
    import keras

LARGEST_BYTES = 2**30
Weights = list[NDArray[np.float32]]


class TrainingError(Exception):
    """A training cannot begin or go on as asked; one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What was known at one checkpoint; loss and Dice of what is held out are None without any."""

    step: int
    loss: float
    held_out_loss: float | None = None
    held_out_dice: float | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a training stands.

    `weights`: now. `average`: the mean of `averaged` checkpoints; empty before there is one.
    `best`: those of `best_step`, which did best on what is held out; empty without it.
    """

    step: int
    weights: Weights
    average: Weights
    averaged: int
    best: Weights
    best_step: int
    history: tuple[Moment, ...]

    @property
    def result(self) -> Weights:
        """The weights to use: the best ones, else the mean, else those of the last step."""
        return self.best or self.average or self.weights

    @property
    def best_moment(self) -> Moment | None:
        """What was known when the best weights were found."""
        return next((one for one in self.history if one.step == self.best_step), None)


NOTHING = Standing(step=0, weights=[], average=[], averaged=0, best=[], best_step=0, history=())


def store(
    path: Path, standing: Standing, network: "keras.Model", identity: Mapping[str, Any]
) -> None:
    """Write where the training stands, whole or not at all.

    Args:
        path: .npz; replaced.
        standing: with the weights of the network.
        network: whose optimiser is kept.
        identity: what must be the same for a training that goes on from here.
    """
    arrays: dict[str, NDArray[Any]] = {
        "step": np.array(standing.step),
        "averaged": np.array(standing.averaged),
        "best_step": np.array(standing.best_step),
        "words": _bytes({"identity": identity, "history": [asdict(m) for m in standing.history]}),
    }
    for name in ("weight", "average", "best"):
        weights = standing.weights if name == "weight" else getattr(standing, name)
        arrays |= {f"{name}_{index:03d}": weight for index, weight in enumerate(weights)}
    arrays |= {
        f"optimizer_{index:03d}": np.asarray(variable)
        for index, variable in enumerate(network.optimizer.variables)
    }
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    temporary.replace(path)


def standing_of(path: Path) -> Standing:
    """Where the training of a checkpoint stands.

    Raises:
        TrainingError: the file is damaged.
        OSError: it cannot be read.
    """
    return _standing(_arrays(path))


def resumed(path: Path, network: "keras.Model", identity: Mapping[str, Any]) -> Standing:
    """Where the training stands, its weights and optimiser put into the network.

    Raises:
        TrainingError: the file is damaged, or of another training.
        OSError: it cannot be read.
    """
    arrays = _arrays(path)
    stated = _words(arrays).get("identity", {})
    known = json.loads(json.dumps(identity))
    if different := sorted(key for key in stated if stated[key] != known.get(key)):
        raise TrainingError(
            f"{path} belongs to a training with another {' and '.join(different)}: "
            "choose another folder, or ask for the same again"
        )
    standing = _standing(arrays)
    try:
        moments = numbered(arrays, "optimizer")
        for variable, moment in zip(network.optimizer.variables, moments, strict=True):
            variable.assign(moment)
        network.set_weights(standing.weights)
    except ValueError as error:
        raise TrainingError(f"{path} belongs to the training of another network") from error
    return standing


def numbered(arrays: Mapping[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """The arrays called `name_000`, `name_001` and so on, in order."""
    pattern = re.compile(rf"{name}_\d+")
    return [arrays[one] for one in sorted(arrays) if pattern.fullmatch(one)]


def mean(before: Sequence[NDArray[np.float32]], count: int, now: Weights) -> Weights:
    """The mean of the weights now and of those averaged `count` times before."""
    if not count:
        return now
    return [
        (count * old + new) / np.float32(count + 1) for old, new in zip(before, now, strict=True)
    ]


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return read_arrays(path, LARGEST_BYTES)
    except ValueError as error:
        raise TrainingError(f"the checkpoint {path} is damaged ({error})") from error


def _standing(arrays: Mapping[str, NDArray[Any]]) -> Standing:
    return Standing(
        step=int(arrays["step"]),
        weights=numbered(arrays, "weight"),
        average=numbered(arrays, "average"),
        averaged=int(arrays.get("averaged", np.array(0))),
        best=numbered(arrays, "best"),
        best_step=int(arrays.get("best_step", np.array(0))),
        history=tuple(Moment(**one) for one in _words(arrays).get("history", [])),
    )


def _words(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    if "words" not in arrays:
        return {}
    words = json.loads(arrays["words"].tobytes())
    return words if isinstance(words, dict) else {}


def _bytes(words: Mapping[str, Any]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(words).encode(), np.uint8)
