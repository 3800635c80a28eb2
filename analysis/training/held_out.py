"""What is held out of a training: fixed crops, and how well a network does on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.training.crops import PARTICLE, channels, draw_batch
from analysis.training.sources import Source

if TYPE_CHECKING:
    import keras

THRESHOLD = 0.5
THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(11))
CROPS = 48


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Crops that no training sees: inputs (n, 256, 256, 1), targets (n, 256, 256, 4)."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]

    @property
    def particle(self) -> NDArray[np.bool_]:
        """The truth, (n, 256, 256)."""
        return self.targets[..., PARTICLE] > THRESHOLD


def held_out_crops(sources: Sequence[Source], seed: int, crops: int = CROPS) -> HeldOut:
    """The same crops for the same sources and seed, each source with its share.

    Raises:
        ValueError: the sources are empty.
    """
    filled = [source for source in sources if len(source)]
    if not filled:
        raise ValueError("nothing is held out")
    batches = []
    for number in range(crops):
        rng = np.random.default_rng([seed, number])
        source = filled[number % len(filled)]
        sample = source.draw(number // len(filled) % len(source), rng)
        batches.append(draw_batch([sample], rng))
    return HeldOut(
        inputs=np.concatenate([inputs for inputs, _ in batches]).astype(np.float32),
        targets=channels(np.concatenate([marks for _, marks in batches])[..., 0]),
    )


def predicted(network: "keras.Model", inputs: NDArray[np.float32], batch: int) -> NDArray[Any]:
    """What the network says of each crop, in its own channels."""
    found = [
        np.asarray(network.predict_on_batch(inputs[start : start + batch]))
        for start in range(0, len(inputs), batch)
    ]
    return np.concatenate(found)


def pooled_dice(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Dice of all pixels of all crops together: crops without a particle count as they should."""
    both = int(truth.sum()) + int(found.sum())
    return 2 * int((truth & found).sum()) / both if both else 1.0


def best_threshold(held_out: HeldOut, probability: NDArray[np.float32]) -> float:
    """Of 0.2 to 0.7, that with the highest Dice; the middle one of equals.

    Args:
        held_out: the crops.
        probability: (n, 256, 256) of particle.
    """
    scores = [pooled_dice(held_out.particle, probability >= one) for one in THRESHOLDS]
    equals = np.flatnonzero(np.isclose(scores, max(scores), atol=1e-4))
    return THRESHOLDS[int(equals[len(equals) // 2])]
