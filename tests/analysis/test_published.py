"""Published weights are taken as arrays, in our network's order, or refused in one sentence."""

import cv2
import h5py
import numpy as np
import pytest

from analysis import unet
from analysis.bundle import load, write
from analysis.errors import BundleError
from analysis.metrics import dice
from analysis.pipeline import AnalysisSettings, analyse
from analysis.published import FILTERS, UNKNOWN_LICENCE, manifest, read_published
from analysis.readers import read_micrographs

KINDS = {
    "Conv2D": ("conv2d", ("kernel", "bias")),
    "BatchNormalization": (
        "batch_normalization",
        ("gamma", "beta", "moving_mean", "moving_variance"),
    ),
}


@pytest.fixture(scope="module")
def network():
    """The published network with weights of no symmetry."""
    built = unet.build("published", FILTERS)
    rng = np.random.default_rng(1)
    built.set_weights(
        [np.abs(rng.normal(0.3, 0.2, weight.shape)) for weight in built.get_weights()]
    )
    return built


def write_keras2(path, network, offset=0, order=None):
    """The network as Keras 2 wrote weights: `layer_names`, `weight_names`, a group each."""
    layers, counts = [], {"conv2d": offset, "batch_normalization": offset}
    for layer in network.layers:
        if type(layer).__name__ in KINDS:
            kind, arrays = KINDS[type(layer).__name__]
            counts[kind] += 1
            last = layer is network.layers[-1]
            layers.append(("final_layer" if last else f"{kind}_{counts[kind]}", arrays, layer))
    layers = layers if order is None else [layers[index] for index in order(len(layers))]
    with h5py.File(path, "w") as file:
        names = ["input_1", *(name for name, _, _ in layers), "dropout_1"]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        for empty in ("input_1", "dropout_1"):
            file.create_group(empty).attrs["weight_names"] = np.array([])
        for name, arrays, layer in layers:
            stated = [f"{name}/{array}:0" for array in arrays]
            file.create_group(name).attrs["weight_names"] = np.array(
                [one.encode() for one in stated]
            )
            for one, weight in zip(stated, layer.get_weights(), strict=True):
                file[name][one] = weight
    return path


@pytest.fixture
def file(tmp_path, network):
    return write_keras2(tmp_path / "weights.h5", network)


def test_the_arrays_come_back_in_the_order_of_the_network(file, network):
    found = read_published(file)
    for one, other in zip(found, network.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("order", [range, lambda n: reversed(range(n))])
def test_the_numbers_of_the_layers_count_not_where_they_start(tmp_path, network, order):
    found = read_published(write_keras2(tmp_path / "later.h5", network, offset=14, order=order))
    for one, other in zip(found, network.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_an_imported_network_predicts_what_the_published_one_does(file, network, tmp_path):
    write(tmp_path / "bundle", manifest("imported", file.name, "0" * 64), read_published(file))
    bundle = load(tmp_path / "bundle", "cpu")
    pixels = np.random.default_rng(2).random((64, 64), np.float32)
    expected = np.asarray(network(pixels[None, :, :, None]))[0, :, :, 1]
    found = bundle.segmenter.probabilities(pixels).particle
    assert np.abs(found - expected).max() < 1e-5
    assert bundle.forest is None
    assert bundle.manifest.licence == UNKNOWN_LICENCE
    assert bundle.manifest.preprocess_recipe == "published"
    low, high = bundle.manifest.pixel_size_range_nm
    assert low < bundle.manifest.model_pixel_size_nm < high


def change_shape(file):
    del file["conv2d_3/conv2d_3/kernel:0"]
    file["conv2d_3/conv2d_3/kernel:0"] = np.zeros((3, 3, 9, 16), np.float32)


def leave_out_a_layer(file):
    file.attrs["layer_names"] = file.attrs["layer_names"][:-2]


def name_another_layer(file):
    file.attrs["layer_names"] = np.append(file.attrs["layer_names"], b"lambda_1")
    file["lambda_1/code"] = np.zeros(3, np.float32)
    file["lambda_1"].attrs["weight_names"] = np.array([b"code"])


def put_in_not_a_number(file):
    file["conv2d_1/conv2d_1/bias:0"][0] = np.nan


def put_in_text(file):
    del file["conv2d_1/conv2d_1/bias:0"]
    file["conv2d_1/conv2d_1/bias:0"] = np.array([b"import os"] * 4)


def lead_outside(file):
    del file["conv2d_1/conv2d_1/bias:0"]
    file["conv2d_1/conv2d_1/bias:0"] = h5py.ExternalLink("/etc/hostname", "/x")


def name_what_is_not_there(file):
    file["conv2d_1"].attrs["weight_names"] = np.array([b"../../x", b"y"])


def declare_a_terabyte(file):
    del file["conv2d_1/conv2d_1/bias:0"]
    file.create_dataset("conv2d_1/conv2d_1/bias:0", (10**11,), np.float32, chunks=(1024,))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change_shape, "of another network"),
        (leave_out_a_layer, "of another network"),
        (name_another_layer, "lambda_1"),
        (put_in_not_a_number, "not finite"),
        (put_in_text, "no array of numbers"),
        (lead_outside, "leads to other files"),
        (name_what_is_not_there, "no Keras 2 file"),
        (declare_a_terabyte, "declares 100000000000 numbers"),
    ],
)
def test_what_is_not_the_published_network_is_refused(file, damage, sentence):
    with h5py.File(file, "a") as opened:
        damage(opened)
    with pytest.raises(BundleError, match=sentence) as error:
        read_published(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"not a file of weights"])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    (tmp_path / "weights.h5").write_bytes(content)
    with pytest.raises(BundleError, match="no Keras 2 file"):
        read_published(tmp_path / "weights.h5")


def test_the_published_file_fits(shared_data):
    path = shared_data.parent / "reference" / "unet32_AuCdSeDots_09_final.h5"
    if not path.exists():
        pytest.skip(f"the published weights are not at {path}")
    weights = read_published(path)
    assert sum(weight.size for weight in weights) == 65_490
    assert all((variance > 0).all() for variance in weights[5::6])


def test_the_published_weights_find_gold_on_a_real_patch(shared_data, tmp_path):
    """0.02 nm/px as in the paper; any other order of the arrays finds nothing of it."""
    path = shared_data.parent / "reference" / "unet32_AuCdSeDots_09_final.h5"
    if not path.exists():
        pytest.skip(f"the published weights are not at {path}")
    write(tmp_path, manifest("published", path.name, "0" * 64), read_published(path))
    patch = shared_data / "real" / "muf_au10_val114.tif"
    (micrograph,) = read_micrographs(patch)
    truth = cv2.imread(str(patch.with_name("muf_au10_val114_mask.png")), cv2.IMREAD_GRAYSCALE) > 0
    _, masks = analyse(micrograph, load(tmp_path, "cpu"), AnalysisSettings())
    assert dice(truth, masks.labels > 0) > 0.9
