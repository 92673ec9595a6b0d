"""Accuracy near the borders of classes."""

import numpy as np

from keras_resample.arguments import as_numbers
from keras_resample.metrics.segmentation.confusion import map_pairs

# Rows of an image whose distances are computed at a time, so that they stay in the cache.
ROWS = 128


def trimap_accuracy(labels, predictions, widths, ignore_class=None):
    """Share of correct pixels in bands of given widths around the borders of classes.

    The band of width w holds the pixels whose centre is less than w pixels away from that of a
    pixel with a neighbour of another class (above, below, left or right): w pixels on each side of
    a border. An ignored pixel is neither counted nor makes a border.

    Args:
        labels: Integer array (n, H, W), or an iterable of maps (H, W) of any sizes.
        predictions: Integer maps of the same sizes.
        widths: Widths in pixels, positive numbers (k,).
        ignore_class: Label of pixels that are left out, or `None`.

    Returns:
        Float array (k,) over all images together, NaN where there is no border.

    Raises:
        ValueError: For maps that are no integers or of different sizes, and for widths that are
            not positive.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> labels = np.array([[[0, 0, 0, 1, 1, 1]]])
    >>> predictions = np.array([[[0, 0, 1, 1, 1, 1]]])
    >>> kr.metrics.trimap_accuracy(labels, predictions, widths=[1, 2])
    array([0.5 , 0.75])

    Reference:
        - [Kohli et al., 2009](https://doi.org/10.1007/s11263-008-0202-0)
    """
    widths = as_widths(widths)
    totals = np.zeros((2, len(widths)), "int64")
    for label, prediction in map_pairs(labels, predictions):
        totals += trimap_counts(label, prediction, widths, ignore_class)
    return accuracy_of(totals)


def as_widths(widths):
    """Widths of bands as float64 (k,), or none of them."""
    return np.array(as_numbers(widths, "widths", "(0, inf)") if np.size(widths) else ())


def accuracy_of(totals):
    """Correct pixels over all of `trimap_counts` (2, k), or of a sum of such."""
    correct, count = totals
    return np.divide(correct, count, out=np.full(len(count), np.nan), where=count > 0)


def trimap_counts(label, prediction, widths, ignore_class=None):
    """Correct pixels and pixels (2, k) of one map (H, W) in the bands of the widths."""
    totals = np.zeros((2, len(widths)), "int64")
    if not len(widths):
        return totals
    valid = np.ones(label.shape, bool) if ignore_class is None else label != ignore_class
    reach = int(np.ceil(widths.max()))
    vertical = _vertical_distance(_borders(label, valid), reach)
    for start in range(0, len(label), ROWS):
        rows = slice(start, start + ROWS)
        distance = _squared_distance(vertical[rows], reach)
        near = valid[rows] & (distance < reach**2)
        distance, correct = distance[near], (label[rows] == prediction[rows])[near]
        for i, width in enumerate(widths):
            band = distance < width**2
            totals[:, i] += np.sum(correct & band), np.sum(band)
    return totals


def _borders(label, valid):
    """Which pixels have a neighbour of another class; both of the two are valid."""
    result = np.zeros(label.shape, bool)
    for axis in (0, 1):
        first, second = _halves(label, axis)
        one, other = _halves(valid, axis)
        differ = (first != second) & one & other
        for half in _halves(result, axis):
            half |= differ
    return result


def _halves(array, axis):
    """Views of an array (H, W) without its last and without its first line along an axis."""
    return (array[:-1], array[1:]) if axis == 0 else (array[:, :-1], array[:, 1:])


def _vertical_distance(borders, reach):
    """Rows to the nearest border pixel of the same column, at most `reach`."""
    distance = np.where(borders, 0, reach).astype("int32")
    for i in range(1, len(distance)):
        np.minimum(distance[i], distance[i - 1] + 1, out=distance[i])
    for i in range(len(distance) - 2, -1, -1):
        np.minimum(distance[i], distance[i + 1] + 1, out=distance[i])
    return distance


def _squared_distance(vertical, reach):
    """Squared distance to the nearest border pixel, exact below `reach` squared."""
    squares = vertical.astype("int64") ** 2 if reach > 2**14 else vertical**2
    result = squares.copy()
    for step in range(1, min(reach, vertical.shape[1])):
        for to, at in ((np.s_[:, step:], np.s_[:, :-step]), (np.s_[:, :-step], np.s_[:, step:])):
            np.minimum(result[to], squares[at] + step**2, out=result[to])
    return result
