"""What a saliency network sees, and the one that is built where none is given."""

import keras
from keras import layers, ops

from keras_resample.ops.sampling import image_sides, sample_displaced

# Reads along each axis that a pixel of the network's input is at most averaged from.
MOST_READS = 2


def low_resolution(images, size, data_format):
    """Images of `size`, (b, h, w, c) or (b, c, h, w): means of a few bilinear reads in each pixel.

    It costs the same for images of any size, and leaves those of bytes as they are.
    """
    images = ops.convert_to_tensor(images)
    rows, cols = size
    height, width = image_sides(images, data_format)
    fine_y, fine_x = _reads(height, rows), _reads(width, cols)
    still = ops.zeros((1, rows * fine_y, cols * fine_x, 2), "float32")
    x = sample_displaced(images, still, "bilinear", "nearest", 0.0, False, data_format)
    if data_format == "channels_first":
        x = ops.reshape(x, (-1, images.shape[1], rows, fine_y, cols, fine_x))
        return ops.mean(x, axis=(3, 5))
    x = ops.reshape(x, (-1, rows, fine_y, cols, fine_x, images.shape[3]))
    return ops.mean(x, axis=(2, 4))


def default_network():
    """Two convolutions at half of the input's size, channels-last; its logits are zero at first.

    In float32 under every policy: what it says becomes coordinates, and it is small.
    """
    options = {"padding": "same", "data_format": "channels_last", "dtype": "float32"}
    network = [
        # Images may come in bytes or in [-1, 1].
        layers.GroupNormalization(
            groups=1, center=False, scale=False, dtype="float32", name="norm"
        ),
        layers.Conv2D(16, 3, strides=2, activation="relu", name="conv1", **options),
        layers.Conv2D(16, 3, activation="relu", name="conv2", **options),
        layers.Conv2D(1, 1, use_bias=False, kernel_initializer="zeros", name="logits", **options),
    ]
    return keras.Sequential(network, name="saliency_network")


def _reads(size, count):
    """Bilinear reads, two pixels wide, that cover what one of `count` pixels stands for."""
    if isinstance(size, int):
        return min(max(1, -(-size // (2 * count))), MOST_READS)
    return ops.clip((size + 2 * count - 1) // (2 * count), 1, MOST_READS)
