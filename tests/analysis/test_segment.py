"""How an image is cut into tiles leaves no trace in the result."""

import numpy as np
import pytest

from analysis import unet
from analysis.segment import Segmenter

FILTERS = 3


@pytest.fixture(scope="module")
def weights():
    """Of a network that answers strongly to its input: no layer is left at its start values."""
    rng = np.random.default_rng(1)
    drawn = []
    for start in unet.build("default", FILTERS).get_weights():
        spread = rng.uniform(0.7, 1.3, start.shape) if start.ndim == 1 else 1.5
        drawn.append((start * spread + 0.1 * (start.ndim == 1)).astype(np.float32))
    return drawn


def _noise(rows, columns):
    return np.random.default_rng(2).normal(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("tile_px", [256, 300, 400])
def test_the_result_does_not_depend_on_the_tiling(weights, tile_px):
    image = _noise(501, 703)
    whole = Segmenter("default", FILTERS, weights).probability(image)
    tiled = Segmenter("default", FILTERS, weights, tile_px=tile_px).probability(image)
    assert whole.std() > 0.01
    assert np.abs(whole - tiled).max() < 1e-5


def test_tiles_that_overlap_too_little_do_leave_a_trace(weights):
    image = _noise(501, 703)
    whole = Segmenter("default", FILTERS, weights).probability(image)
    cut = Segmenter("default", FILTERS, weights, tile_px=256, overlap_px=16).probability(image)
    assert np.abs(whole - cut).max() > 1e-4


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (33, 31), (256, 256)])
def test_any_shape_comes_back_as_it_was(weights, shape):
    probability = Segmenter("default", FILTERS, weights).probability(_noise(*shape))
    assert probability.shape == shape
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1


def test_many_shapes_share_one_graph(weights, caplog):
    segmenter = Segmenter("default", FILTERS, weights)
    for side in range(20, 420, 20):
        segmenter.probability(_noise(side, 40))
    assert "retracing" not in caplog.text


def test_out_of_memory_falls_back_to_smaller_tiles(weights, monkeypatch):
    segmenter = Segmenter("default", FILTERS, weights)
    expected = segmenter.probability(_noise(640, 1000))
    whole = segmenter._whole

    def small_only(tile):
        if max(tile.shape) > 700:
            raise MemoryError
        return whole(tile)

    monkeypatch.setattr(segmenter, "_whole", small_only)
    assert np.abs(segmenter.probability(_noise(640, 1000)) - expected).max() < 1e-5


def test_an_error_that_is_not_memory_is_not_swallowed(weights, monkeypatch):
    segmenter = Segmenter("default", FILTERS, weights)
    monkeypatch.setattr(segmenter, "_whole", lambda tile: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        segmenter.probability(_noise(64, 64))


def test_a_device_that_is_not_there_is_an_error(weights):
    with pytest.raises(ValueError, match="gpu:7"):
        Segmenter("default", FILTERS, weights, device="gpu:7")


def test_without_a_gpu_the_cpu_is_used(weights):
    assert Segmenter("default", FILTERS, weights, device="cpu").device == "cpu:0"
