"""The segmentation networks: their shape only, no file, no data.

`published` is the network of Groschner, Choi and Scott (2021): (N, H, W, 1) to (N, H, W, 2),
background and particle, summing to one. `default` is the same idea behind a stem that reduces the
picture fourfold, so that every wide layer works on a sixteenth of the pixels; what comes up is
added to what was there, not laid beside it, which halves the cost of a wide layer. It gives two
further channels, the probabilities of a seam between two particles that touch and of two particles
that lie over each other. H and W are multiples of `total_stride`. Only layers that every Keras
backend has.
"""

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import keras

Architecture = Literal["default", "published"]

PUBLISHED_LEVELS = 4  # each halves the resolution; the first filters double thrice
DROPOUT = 0.1
STEM_STRIDE = 4
STEM_KERNELS_PX = (6, 4)
FINE_KERNEL_PX = 8
LEVELS = 3  # below the stem; level i has (i + 1) times the first filters
CONVOLUTIONS_DOWN = (1, 1, 2, 2)  # of each level, the finest first
CONVOLUTIONS_UP = (2, 1, 1)


def total_stride(architecture: str) -> int:
    """Pixels of the input that one pixel of the deepest layer covers, along one axis."""
    _known(architecture)
    if architecture == "published":
        return 1 << PUBLISHED_LEVELS
    stride: int = STEM_STRIDE << LEVELS
    return stride


def outputs(architecture: str) -> int:
    """Channels of the output: background, particle; of the default network seam and overlap too."""
    _known(architecture)
    return 2 if architecture == "published" else 4


def receptive_radius_px(architecture: str) -> int:
    """How far from a pixel, in input pixels, the input still changes the output there.

    A 3x3 convolution at stride s reaches s further; a pooling or an upsampling step to stride s
    reaches s; the stem and the last, transposed convolution half their kernels. Rounded up to a
    multiple of the total stride: tiles that overlap by this much on each side give what the whole
    image gives.
    """
    bottom = total_stride(architecture)
    levels, finest = (PUBLISHED_LEVELS, 1) if architecture == "published" else (LEVELS, STEM_STRIDE)
    strides = [finest << level for level in range(levels)]
    if architecture == "published":
        convolutions, ends = 3 * sum(strides) + 2 * bottom, 0  # one down, two up at each level
    else:
        down = np.dot(CONVOLUTIONS_DOWN, [*strides, bottom])
        convolutions = int(down + np.dot(CONVOLUTIONS_UP, strides))
        ends = sum(STEM_KERNELS_PX) + FINE_KERNEL_PX
    radius_px: int = math.ceil((convolutions + 2 * sum(strides) + ends) / bottom) * bottom
    return radius_px


def build(architecture: str, filters: int) -> "keras.Model":
    """The untrained network.

    Args:
        architecture: "published" or "default".
        filters: of the first level (published: 4). Multiples of 16 cost a processor least.

    Raises:
        ValueError: no such architecture, or fewer than one filter.
    """
    _known(architecture)
    if filters < 1:
        raise ValueError(f"{filters} filters")
    return _published(filters) if architecture == "published" else _default(filters)


def folded(network: "keras.Model") -> "keras.Model":
    """The same function with every batch normalisation folded into the convolution before it.

    What a network at work needs: a tenth faster, to be trained no further. Equal but for rounding.
    """
    import keras

    def copied(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.Identity(name=layer.name)
        copy: keras.Layer = layer.__class__.from_config(layer.get_config())
        return copy

    def called(layer: keras.Layer, *inputs: object, **options: object) -> object:
        return inputs[0] if isinstance(layer, keras.layers.Identity) else layer(*inputs, **options)

    plain = keras.models.clone_model(network, clone_function=copied, call_function=called)
    for layer in network.layers:
        if not layer.weights:
            continue
        if not isinstance(layer, keras.layers.BatchNormalization):
            plain.get_layer(layer.name).set_weights(layer.get_weights())
            continue
        before = layer.input._keras_history.operation
        kernel, bias = before.get_weights()
        scale, shift, mean, variance = layer.get_weights()
        scale = scale / np.sqrt(variance + layer.epsilon)
        plain.get_layer(before.name).set_weights([kernel * scale, (bias - mean) * scale + shift])
    return plain


def _known(architecture: str) -> None:
    if architecture not in ("default", "published"):
        raise ValueError(f"no architecture is called {architecture!r}")


def _published(filters: int) -> "keras.Model":
    """Four levels of encoder; pools before the ReLU, the skip takes the ReLU."""
    import keras

    layers = keras.layers
    pixels = keras.Input((None, None, 1))
    skips, here = [], pixels
    for level in range(PUBLISHED_LEVELS):
        here = _convolved(here, filters * 2**level)
        skips.append(layers.ReLU()(here))
        here = layers.MaxPooling2D(2)(here)
    for _ in range(2):
        here = layers.ReLU()(_convolved(here, filters * 2 ** (PUBLISHED_LEVELS - 1)))
    for level in reversed(range(PUBLISHED_LEVELS)):
        here = _decoded(here, skips[level], filters * 2**level)
    return keras.Model(pixels, layers.Conv2D(2, 1, activation="softmax")(here))


def _default(filters: int) -> "keras.Model":
    """A stem of two strided convolutions, three levels below it, one transposed convolution."""
    import keras

    layers = keras.layers
    pixels = keras.Input((None, None, 1))
    here = _active(pixels, max(1, filters // 2), STEM_KERNELS_PX[0], stride=2)
    here = _active(here, filters, STEM_KERNELS_PX[1], stride=2)
    skips = []
    for level in range(LEVELS):
        for _ in range(CONVOLUTIONS_DOWN[level]):
            here = _active(here, filters * (level + 1))
        skips.append(here)
        here = layers.MaxPooling2D(2)(here)
    for _ in range(CONVOLUTIONS_DOWN[LEVELS]):
        here = _active(here, filters * (LEVELS + 1))
    for level in reversed(range(LEVELS)):
        above = layers.UpSampling2D(2)(_convolved(here, filters * (level + 1), 1))
        here = layers.ReLU()(layers.Add()([above, skips[level]]))
        for _ in range(CONVOLUTIONS_UP[level]):
            here = _active(here, filters * (level + 1))
    here = _active(here, max(1, filters // 2), 1)
    fine = layers.Conv2DTranspose(4, FINE_KERNEL_PX, strides=STEM_STRIDE, padding="same")(here)
    particle = layers.Softmax()(fine[..., :2])
    seam_and_overlap = layers.Activation("sigmoid")(fine[..., 2:])
    return keras.Model(pixels, layers.Concatenate()([particle, seam_and_overlap]))


def _active(
    here: "keras.KerasTensor", filters: int, kernel_px: int = 3, stride: int = 1
) -> "keras.KerasTensor":
    """Convolved, normalised over the batch, negative values cut off."""
    import keras

    return keras.layers.ReLU()(_convolved(here, filters, kernel_px, stride))


def _convolved(
    here: "keras.KerasTensor", filters: int, kernel_px: int = 3, stride: int = 1
) -> "keras.KerasTensor":
    import keras

    layers = keras.layers
    here = layers.Conv2D(filters, kernel_px, strides=stride, padding="same")(here)
    return layers.BatchNormalization()(here)


def _decoded(
    below: "keras.KerasTensor", skip: "keras.KerasTensor", filters: int
) -> "keras.KerasTensor":
    import keras

    here = keras.layers.Concatenate()([skip, keras.layers.UpSampling2D(2)(below)])
    here = keras.layers.ReLU()(_convolved(here, filters))
    here = keras.layers.Dropout(DROPOUT)(here)
    return keras.layers.ReLU()(_convolved(here, filters))
