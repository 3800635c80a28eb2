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
        if start.ndim == 1:
            value = start * rng.uniform(0.7, 1.3, start.shape) + 0.1
        else:
            value = rng.normal(scale=1.5 * np.sqrt(2 / np.prod(start.shape[:-1])), size=start.shape)
        drawn.append(value.astype(np.float32))
    return drawn


def _noise(rows, columns):
    return np.random.default_rng(2).normal(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("tile_px", [480, 500, 640])
def test_the_result_does_not_depend_on_the_tiling(weights, tile_px):
    image = _noise(701, 903)
    whole = Segmenter("default", FILTERS, weights).probabilities(image)
    tiled = Segmenter("default", FILTERS, weights, tile_px=tile_px).probabilities(image)
    for one, other in ((whole.particle, tiled.particle), (whole.seam, tiled.seam)):
        assert one.std() > 0.01
        assert np.abs(one - other).max() < 1e-5


def test_the_smallest_tiles_give_the_same(weights):
    image = _noise(701, 903)
    segmenter = Segmenter("default", FILTERS, weights)
    whole = segmenter.probabilities(image).particle
    segmenter.use_smallest_tiles()
    assert segmenter._tile_px < 701
    assert np.abs(whole - segmenter.probabilities(image).particle).max() < 1e-5


def test_tiles_that_overlap_too_little_do_leave_a_trace(weights):
    image = _noise(701, 903)
    whole = Segmenter("default", FILTERS, weights).probabilities(image)
    cut = Segmenter("default", FILTERS, weights, tile_px=256, overlap_px=16).probabilities(image)
    assert np.abs(whole.particle - cut.particle).max() > 1e-4


def test_only_the_default_network_tells_seams(weights):
    published = unet.build("published", 2).get_weights()
    assert Segmenter("published", 2, published).probabilities(_noise(64, 64)).seam is None
    seam = Segmenter("default", FILTERS, weights).probabilities(_noise(64, 64)).seam
    assert seam.shape == (64, 64)


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (33, 31), (256, 256)])
def test_any_shape_comes_back_as_it_was(weights, shape):
    probability = Segmenter("default", FILTERS, weights).probabilities(_noise(*shape)).particle
    assert probability.shape == shape
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1


def test_many_shapes_share_one_graph(weights, caplog):
    segmenter = Segmenter("default", FILTERS, weights)
    for side in range(20, 420, 20):
        segmenter.probabilities(_noise(side, 40))
    assert "retracing" not in caplog.text


def test_out_of_memory_falls_back_to_smaller_tiles(weights, monkeypatch):
    segmenter = Segmenter("default", FILTERS, weights)
    expected = segmenter.probabilities(_noise(640, 1000)).particle
    whole = segmenter._whole

    def small_only(tile):
        if max(tile.shape) > 700:
            raise MemoryError
        return whole(tile)

    monkeypatch.setattr(segmenter, "_whole", small_only)
    assert np.abs(segmenter.probabilities(_noise(640, 1000)).particle - expected).max() < 1e-5


def test_an_error_that_is_not_memory_is_not_swallowed(weights, monkeypatch):
    segmenter = Segmenter("default", FILTERS, weights)
    monkeypatch.setattr(segmenter, "_whole", lambda tile: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        segmenter.probabilities(_noise(64, 64))


def test_a_device_that_is_not_there_is_an_error(weights):
    with pytest.raises(ValueError, match="gpu:7"):
        Segmenter("default", FILTERS, weights, device="gpu:7")


def test_without_a_gpu_the_cpu_is_used(weights):
    assert Segmenter("default", FILTERS, weights, device="cpu").device == "cpu:0"
