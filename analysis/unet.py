"""The segmentation networks: their shape only, no file, no data.

`published` is the network of Groschner, Choi and Scott (2021); `default` is the same idea with a
strided first convolution, so that every wide layer works on half the pixels in each direction.
Both take (N, H, W, 1) and give (N, H, W, 2): background, particle, summing to one. H and W are
multiples of `total_stride`. Only layers that every Keras backend has.
"""

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

Architecture = Literal["default", "published"]

LEVELS = 4  # each halves the resolution; the published network's first filters double thrice
STRIDE: int = 2**LEVELS
DROPOUT = 0.1
STEM_KERNEL_PX = 6


def total_stride(architecture: str) -> int:
    """Pixels of the input that one pixel of the deepest layer covers, along one axis."""
    _known(architecture)
    return STRIDE


def receptive_radius_px(architecture: str) -> int:
    """How far from a pixel, in input pixels, the input still changes the output there.

    A 3x3 convolution at stride s reaches s further; a pooling or an upsampling step to stride s
    reaches s. Rounded up to a multiple of the total stride: tiles that overlap by this much on
    each side give what the whole image gives.
    """
    _known(architecture)
    bottom = 2 * STRIDE
    strides_above = STRIDE - 1  # 1 + 2 + 4 + 8
    convolutions = 3 * strides_above  # one in the encoder, two in the decoder
    steps = 2 * strides_above
    return math.ceil((bottom + convolutions + steps) / STRIDE) * STRIDE


def build(architecture: str, filters: int) -> "keras.Model":
    """The untrained network.

    Args:
        architecture: "published" or "default".
        filters: of the first level; doubled at each of the three below (published: 4).

    Raises:
        ValueError: no such architecture, or fewer than one filter.
    """
    _known(architecture)
    if filters < 1:
        raise ValueError(f"{filters} filters")
    return _published(filters) if architecture == "published" else _default(filters)


def _known(architecture: str) -> None:
    if architecture not in ("default", "published"):
        raise ValueError(f"no architecture is called {architecture!r}")


def _published(filters: int) -> "keras.Model":
    """Four levels of encoder; pools before the ReLU, the skip takes the ReLU."""
    import keras

    layers = keras.layers
    pixels = keras.Input((None, None, 1))
    skips, here = [], pixels
    for level in range(LEVELS):
        here = _convolved(here, filters * 2**level)
        skips.append(layers.ReLU()(here))
        here = layers.MaxPooling2D(2)(here)
    for _ in range(2):
        here = layers.ReLU()(_convolved(here, filters * 2 ** (LEVELS - 1)))
    for level in reversed(range(LEVELS)):
        here = _decoded(here, skips[level], filters * 2**level)
    return keras.Model(pixels, layers.Conv2D(2, 1, activation="softmax")(here))


def _default(filters: int) -> "keras.Model":
    """A strided stem, three levels of encoder below it, a transposed convolution at the end."""
    import keras

    layers = keras.layers
    pixels = keras.Input((None, None, 1))
    stem = layers.Conv2D(filters, STEM_KERNEL_PX, strides=2, padding="same")(pixels)
    here = layers.ReLU()(layers.BatchNormalization()(stem))
    skips = []
    for level in range(LEVELS - 1):
        here = layers.ReLU()(_convolved(here, filters * 2**level))
        skips.append(here)
        here = layers.MaxPooling2D(2)(here)
    for _ in range(2):
        here = layers.ReLU()(_convolved(here, filters * 2 ** (LEVELS - 1)))
    for level in reversed(range(LEVELS - 1)):
        here = _decoded(here, skips[level], filters * 2**level)
    fine = layers.Conv2DTranspose(2, 2, strides=2, padding="same")(here)
    return keras.Model(pixels, layers.Softmax()(fine))


def _convolved(here: "keras.KerasTensor", filters: int) -> "keras.KerasTensor":
    import keras

    here = keras.layers.Conv2D(filters, 3, padding="same")(here)
    return keras.layers.BatchNormalization()(here)


def _decoded(
    below: "keras.KerasTensor", skip: "keras.KerasTensor", filters: int
) -> "keras.KerasTensor":
    import keras

    here = keras.layers.Concatenate()([skip, keras.layers.UpSampling2D(2)(below)])
    here = keras.layers.ReLU()(_convolved(here, filters))
    here = keras.layers.Dropout(DROPOUT)(here)
    return keras.layers.ReLU()(_convolved(here, filters))
