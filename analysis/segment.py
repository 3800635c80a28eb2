"""Probability that each pixel belongs to a particle, or to a seam between two, by U-Net.

Large images go through in tiles that overlap by more than the network sees, so the result does
not depend on how they were cut.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis import unet
from analysis.junctions import Junctions

log = logging.getLogger(__name__)

PARTICLE, SEAM, OVERLAP = 1, 2, 3
TILE_PX = 2592  # a 4096 x 4096 micrograph at 0.025 nm/px goes through whole
SMALLEST_TILE_PX = 512


class OutOfMemory(Exception):
    """Even the smallest tile does not fit into the memory of the device."""


@dataclass(frozen=True, kw_only=True)
class Probabilities:
    """What the network says of each pixel, (h, w) float32 in [0, 1].

    `particle`: it belongs to a particle. `seam`: it lies where two particles touch. `overlap`: two
    particles lie over each other. The last two are None where the network does not tell.
    """

    particle: NDArray[np.float32]
    seam: NDArray[np.float32] | None
    overlap: NDArray[np.float32] | None

    @property
    def junctions(self) -> Junctions | None:
        """Overlap and seam together, or None where the network does not tell."""
        if self.overlap is None or self.seam is None:
            return None
        return Junctions(overlap=self.overlap, seam=self.seam)


class Segmenter:
    """A U-Net with its weights, on one device.

    Args:
        architecture: as in `unet.build`.
        filters: as in `unet.build`.
        weights: the arrays of the network, in its own order.
        tile_px: longest side that goes through in one piece.
        overlap_px: how far tiles reach into each other on each side; by default as far as the
            network sees.
        device: "auto", "cpu" or "gpu:N".

    Raises:
        ValueError: weights that do not fit the network, or no such device.
    """

    def __init__(
        self,
        architecture: str,
        filters: int,
        weights: Sequence[NDArray[np.float32]],
        tile_px: int = TILE_PX,
        overlap_px: int | None = None,
        device: str = "auto",
    ) -> None:
        import keras

        self._stride = unet.total_stride(architecture)
        self._outputs = unet.outputs(architecture)
        radius_px = unet.receptive_radius_px(architecture)
        overlap_px = radius_px if overlap_px is None else overlap_px
        self._overlap_px = _multiple(overlap_px, self._stride)
        self._tile_px = _multiple(max(tile_px, 2 * self._overlap_px + self._stride), self._stride)
        self.device = _device(device)
        with keras.device(self.device):
            trained = unet.build(architecture, filters)
            trained.set_weights(list(weights))
            self._network = unet.folded(trained)
            self._network.compile(jit_compile=False)  # one graph for every shape

    def probabilities(self, network_input: NDArray[np.float32]) -> Probabilities:
        """Probability of particle, and of seam where the network knows it, at each pixel.

        Args:
            network_input: (h, w) float32 as `preprocess.prepare` gives it.

        Raises:
            OutOfMemory: not even the smallest tile fits.
        """
        rows, columns = network_input.shape
        padded = _padded(network_input, self._stride)
        while True:
            try:
                found = self._tiled(padded)[:rows, :columns]
                tells = self._outputs > OVERLAP
                return Probabilities(
                    particle=found[..., PARTICLE],
                    seam=found[..., SEAM] if tells else None,
                    overlap=found[..., OVERLAP] if tells else None,
                )
            except Exception as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve_tiles()

    def use_smallest_tiles(self) -> None:
        """Take as little memory as possible from here on, at the cost of time."""
        self._tile_px = self._smallest_px

    def _tiled(self, padded: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.empty((*padded.shape, self._outputs), np.float32)
        overlap_px = self._overlap_px
        for top, bottom in _spans(padded.shape[0], self._tile_px, overlap_px, self._stride):
            for left, right in _spans(padded.shape[1], self._tile_px, overlap_px, self._stride):
                tile = self._whole(padded[top:bottom, left:right])
                inner_top = overlap_px if top else 0
                inner_left = overlap_px if left else 0
                result[top + inner_top : bottom, left + inner_left : right] = tile[
                    inner_top:, inner_left:
                ]
        return result

    def _whole(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        import keras

        with keras.device(self.device):
            found = self._network.predict_on_batch(np.ascontiguousarray(tile)[None, :, :, None])
        return np.asarray(found[0], np.float32)

    @property
    def _smallest_px(self) -> int:
        side_px = max(SMALLEST_TILE_PX, 2 * self._overlap_px + self._stride)
        return min(self._tile_px, _multiple(side_px, self._stride))

    def _halve_tiles(self) -> None:
        smallest_px = self._smallest_px
        if self._tile_px <= smallest_px:
            raise OutOfMemory(f"tiles of {self._tile_px} px do not fit on {self.device}")
        self._tile_px = max(smallest_px, _multiple(self._tile_px // 2, self._stride))
        log.warning("out of memory on %s: tiles of %d px from here on", self.device, self._tile_px)


def _padded(image: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """The image continued by reflection below and right, to multiples of the stride."""
    rows, columns = (_multiple(side, stride) - side for side in image.shape)
    return np.pad(image, ((0, rows), (0, columns)), mode="symmetric")


def _spans(length: int, tile: int, overlap: int, stride: int) -> list[tuple[int, int]]:
    """Start and end of each tile along one axis: equal lengths, multiples of the stride.

    Each but the first begins two overlaps before the last one ends: where both are written the
    later one is right, since its own first `overlap` pixels are left out.
    """
    if length <= tile:
        return [(0, length)]
    count = math.ceil((length - 2 * overlap) / (tile - 2 * overlap))
    side = min(tile, _multiple(math.ceil((length - 2 * overlap) / count) + 2 * overlap, stride))
    starts = [min(index * (side - 2 * overlap), length - side) for index in range(count)]
    return [(start, start + side) for start in starts]


def _multiple(value: int, of: int) -> int:
    """The next multiple, at least one."""
    return max(1, -(-value // of)) * of


def _device(wanted: str) -> str:
    """The Keras name of the device: a GPU where there is one and none is forbidden."""
    import keras

    gpus = [name for name in keras.distribution.list_devices() if name.startswith("gpu")]
    if wanted == "auto":
        return gpus[0] if gpus else "cpu:0"
    if wanted == "cpu":
        return "cpu:0"
    if wanted not in gpus:
        raise ValueError(f"no device is called {wanted!r}; there are {['cpu', *gpus]}")
    return wanted


def _is_out_of_memory(error: Exception) -> bool:
    """Whether the backend says so, in whichever class it uses."""
    said = f"{type(error).__name__} {error}"
    return isinstance(error, MemoryError) or any(
        words in said for words in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OutOfMemory")
    )
