"""Bare carbon for the classes: a region that is no particle, where the U-Net invents too few.

The network's own answer stays; a disc is added to it where the truth has nothing, so that the disc
is described and classified as a false region would be.
"""

from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.bundle import Bundle
from analysis.segment import Probabilities, Segmenter
from analysis.training.evaluation.cases import Case

DIAMETER_NM = (2.0, 9.0)
GAP_NM = 0.5  # to the nearest particle and to the border
HEX_DIGITS = 16


def with_carbon_disc(bundle: Bundle, case: Case) -> Bundle:
    """The bundle, which now also finds a disc of bare carbon; as it was where none has room.

    Place and size depend on the pixels of the micrograph alone.
    """
    seed = int(case.micrograph.pixel_sha256[:HEX_DIGITS], 16)
    disc = _disc(case, np.random.default_rng(seed))
    if disc is None:
        return bundle
    seeing = _Seeing(network=bundle.segmenter, disc=disc)
    return replace(bundle, segmenter=cast(Segmenter, seeing))


@dataclass(frozen=True, kw_only=True)
class _Seeing:
    """A network that is sure of a disc; `disc`: (H, W) float32 of 0 and 1, of the same field."""

    network: Segmenter
    disc: NDArray[np.float32]

    @property
    def device(self) -> str:
        """Of the network."""
        return self.network.device

    def probabilities(self, network_input: NDArray[np.float32]) -> Probabilities:
        """The network's, and 1 inside the disc."""
        found = self.network.probabilities(network_input)
        rows, columns = network_input.shape
        disc = cv2.resize(self.disc, (columns, rows), interpolation=cv2.INTER_AREA)
        return replace(found, particle=np.maximum(found.particle, np.asarray(disc, np.float32)))


def _disc(case: Case, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """A disc on bare carbon, or None where none of its size has room."""
    radius_px = float(rng.uniform(*DIAMETER_NM)) / 2 / case.pixel_size_nm
    bare = np.pad((case.labels == 0).astype(np.uint8), 1)
    free_px = cv2.distanceTransform(bare, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    places = np.argwhere(free_px > radius_px + GAP_NM / case.pixel_size_nm)
    if not len(places):
        return None
    y, x = (int(each) for each in places[int(rng.integers(len(places)))])
    disc = np.zeros(case.labels.shape, np.float32)
    cv2.circle(disc, (x, y), round(radius_px), 1.0, -1)
    return disc
