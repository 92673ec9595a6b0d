"""Where classes meet: the edge target of learning to downsample."""

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_bool, as_number
from keras_resample.backend.compiling import one_program
from keras_resample.ops.extremes import greatest, least

NEIGHBOURS = tuple((i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1))


def edge_map(labels, sigma=1.0, binary=False, ignore_class=None):
    """Map of how near each pixel is to the border of its class.

    Implements `f_edge(f_gauss(Y))` of Jin et al., Section 3.2: the labels are scaled to [0, 1] per
    image (`(Y - min Y) / (max Y - min Y)`), blurred by a Gaussian, filtered by the kernel
    `[[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]` and clipped to [0, 1]; outside the image the border
    pixels are repeated. An image of one class gives zeros.

    So an edge weighs as much as the numbers of its two classes differ, and only its side of the
    larger number is seen. With `binary=True` all edges weigh the same: a pixel is 1 if any of its
    eight neighbours has another class, else 0, and this map is blurred. That is also the simulated
    edge-based sampling of Appendix A.5, where `sigma` says how wide the band around edges is.

    Args:
        labels: `(batch, h, w)`, class numbers, integers below 2^24.
        sigma: standard deviation of the Gaussian in pixels, a number of at least 0 (no blur). It is
            cut off at 4 sigma.
        binary: whether every change of class weighs the same.
        ignore_class: the number of pixels without a class, or `None`. They are left out of scaling,
            blur and differences, so that they make no edge, and their own value is 0.

    Returns:
        float32 `(batch, h, w)` in [0, 1].

    Raises:
        ValueError: if `labels` is not 3D or has an empty side, or `sigma` is negative.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> labels = np.zeros((1, 5, 5), "int32")
    >>> labels[0, 2, 2] = 1
    >>> edges = kr.ops.edge_map(labels, sigma=0)
    >>> float(edges[0, 2, 2]), float(edges[0, 1, 1])
    (1.0, 0.0)

    Reference:
        - [Learning to Downsample for Segmentation of Ultra-High Resolution Images, Jin et al.,
          2022](https://arxiv.org/abs/2109.11071)
    """
    sigma, binary = as_number(sigma, "sigma", "[0, inf)"), as_bool(binary, "binary")
    labels = ops.cast(ops.convert_to_tensor(labels), "float32")
    if len(labels.shape) != 3 or 0 in tuple(labels.shape[1:]):
        raise ValueError(
            "`labels` must have shape (batch, height, width) with no empty side. "
            f"Received: labels of shape {tuple(labels.shape)}"
        )
    return _edges(labels, sigma=sigma, binary=binary, ignore_class=ignore_class)


@one_program
def _edges(labels, *, sigma, binary, ignore_class):
    known = ops.ones_like(labels)
    if ignore_class is not None:
        known = ops.cast(labels != float(ignore_class), "float32")
    if binary:
        edges = _blur(_changes(labels, known), sigma)
    else:
        edges = _differences(*_known_blur(_scale(labels, known), known, sigma))
    return ops.clip(edges, 0.0, 1.0) * known


def _scale(labels, known):
    """Labels (b, h, w) scaled to [0, 1] over the known pixels of each image; 0 elsewhere."""
    low = least(ops.where(known > 0, labels, np.inf))
    high = greatest(ops.where(known > 0, labels, -np.inf))
    varied = high > low
    scale = ops.where(varied, high - low, 1.0)
    return ops.where(ops.logical_and(varied, known > 0), (labels - low) / scale, 0.0)


def _known_blur(values, known, sigma):
    """The blur of the known values around each pixel, and 1 where there is any, else 0."""
    weight = _blur(known, sigma)
    reached = weight > 0
    blurred = _blur(values * known, sigma) / ops.where(reached, weight, 1.0)
    return blurred, ops.cast(reached, "float32")


def _differences(values, known):
    """Sum of the differences of each value to its eight known neighbours."""
    values_around, known_around = _repeat_border(values, 1), _repeat_border(known, 1)
    total = 0.0
    for i, j in NEIGHBOURS:
        difference = values - _window(values_around, values, i, j)
        total = total + difference * _window(known_around, values, i, j)
    return total


def _changes(labels, known):
    """1 where a known neighbour of a known pixel has another label, else 0."""
    labels_around, known_around = _repeat_border(labels, 1), _repeat_border(known, 1)
    total = 0.0
    for i, j in NEIGHBOURS:
        differs = ops.cast(labels != _window(labels_around, labels, i, j), "float32")
        total = ops.maximum(total, differs * _window(known_around, labels, i, j))
    return total * known


def _blur(values, sigma):
    """Gaussian blur of (b, h, w), the border repeated."""
    radius = int(4.0 * sigma + 0.5)
    if radius == 0:
        return values
    weights, shape = _gaussian(sigma, radius), ops.shape(values)
    values = _repeat_border(values, radius)[..., None]
    for along in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        kernel = ops.reshape(weights, along)
        values = ops.conv(values, kernel, padding="valid", data_format="channels_last")
    return ops.reshape(values, shape)  # which TensorFlow does not give a batch of none


@backend.constant
def _gaussian(sigma, radius):
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype("float32")


def _repeat_border(values, count):
    """(b, h, w) with `count` more pixels on every side, equal to the border's."""
    _, height, width = ops.shape(values)
    rows = ops.clip(ops.arange(-count, height + count, dtype="int32"), 0, height - 1)
    cols = ops.clip(ops.arange(-count, width + count, dtype="int32"), 0, width - 1)
    return ops.take(ops.take(values, rows, axis=1), cols, axis=2)


def _window(around, values, top, left):
    _, height, width = ops.shape(values)
    return around[:, top : top + height, left : left + width]
