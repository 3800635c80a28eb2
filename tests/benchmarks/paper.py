"""The steps of Groschner, Choi and Scott (2021), with the libraries they name, to be compared with.

Written from the paper and not from its code: the median of 3x3, division by the maximum, the U-Net
in tiles of 512², morphological filtering and regions by scikit-image, and for each region the
Fourier transform summed over soft rings, one ring after the other. Nothing is stored.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import erf
from skimage import measure, morphology
from sklearn.ensemble import RandomForestClassifier

from analysis import unet

TILE_PX, TILES_AT_ONCE = 512, 8
RINGS = 100
RING_STEP_PX, RING_WIDTH_PX, RING_EDGE_PX = 2**0.5, 10.0, 4.0
OPENING_PX = CLOSING_PX = 5  # the paper names no radius
FILTERS = 4
TREES, TRAINED_ON, FEATURES, CLASSES = 500, 329, 5, 5


class PaperPipeline:
    """The published pipeline; weights and trees are random, as slow as trained ones."""

    def __init__(self) -> None:
        self._network = unet.build("published", FILTERS)
        rng = np.random.default_rng(1)
        self._forest = RandomForestClassifier(TREES, random_state=1).fit(
            rng.normal(size=(TRAINED_ON, FEATURES)), rng.integers(0, CLASSES, TRAINED_ON)
        )

    def filtered(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """(H, W) without X-ray spikes, at most one."""
        clean = ndimage.median_filter(image, size=3).astype(np.float64)
        return np.asarray(clean / clean.max())

    def segmented(self, image: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(H, W) what the network takes for particle; both sides are multiples of a tile."""
        corners = np.ndindex(image.shape[0] // TILE_PX, image.shape[1] // TILE_PX)
        boxes = [tuple(slice(n * TILE_PX, (n + 1) * TILE_PX) for n in place) for place in corners]
        tiles = np.stack([image[box] for box in boxes]).astype(np.float32)[..., None]
        probability = self._network.predict(tiles, batch_size=TILES_AT_ONCE, verbose=0)
        found = np.zeros(image.shape, np.bool_)
        for box, tile in zip(boxes, probability, strict=True):
            found[box] = tile[..., 1] > tile[..., 0]
        return found

    def regions(self, mask: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
        """Boxes of the regions after morphological filtering."""
        opened = morphology.opening(mask, morphology.disk(OPENING_PX))  # type: ignore[no-untyped-call]
        closed = morphology.closing(opened, morphology.disk(CLOSING_PX))  # type: ignore[no-untyped-call]
        labels = measure.label(closed)  # type: ignore[no-untyped-call]
        return [region.bbox for region in measure.regionprops(labels)]  # type: ignore[no-untyped-call]

    def features(
        self, image: NDArray[np.float64], box: tuple[int, int, int, int]
    ) -> tuple[float, ...]:
        """Mean, deviation and centre of mass of the ring sums; mean and deviation of the region."""
        y0, x0, y1, x1 = box
        crop = image[y0:y1, x0:x1]
        side = min(crop.shape)
        modulus = np.abs(np.fft.fftshift(np.fft.fft2(crop[:side, :side])))
        y, x = np.mgrid[:side, :side] - side / 2
        radius = np.hypot(y, x)
        sums = np.array([(_ring(radius, n * RING_STEP_PX) * modulus).sum() for n in range(RINGS)])
        centre = float(np.arange(RINGS) @ sums) / max(float(sums.sum()), 1e-12)
        return sums.mean(), sums.std(), centre, crop.mean(), crop.std()

    def sorted_into_classes(self, rows: list[tuple[float, ...]]) -> NDArray[np.int64]:
        """(N,) the class of each region."""
        return np.asarray(self._forest.predict(np.array(rows)) if rows else np.empty(0, np.int64))


def _ring(radius: NDArray[np.float64], inner_px: float) -> NDArray[np.float64]:
    return _step(radius - inner_px) - _step(radius - inner_px - RING_EDGE_PX - RING_WIDTH_PX)


def _step(beyond_px: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((1 + erf(4 * (beyond_px / RING_EDGE_PX - 0.5))) / 2)
