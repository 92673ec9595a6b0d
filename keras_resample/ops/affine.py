"""Affine maps of images, and of the keypoints on them."""

import math

from keras import ops

from keras_resample.arguments import as_size
from keras_resample.backend.compiling import one_program
from keras_resample.ops.grids import as_matrix, moved_by_affine
from keras_resample.ops.keypoints import as_keypoints, check_batches


def affine_matrix(image_size, rotation=0.0, scale=1.0, translation=(0.0, 0.0), shear=0.0):
    """The matrix with which `grid_from_affine` turns, scales, shears and shifts what images show.

    A point c of the image, in pixels from its centre, is seen at `t + scale * R S c`, with R the
    rotation, `S = [[1, shear], [0, 1]]` and t the translation in pixels. A grid says where each
    output looks, so the matrix is the inverse of that map, in relative coordinates: angles are
    those of pixels on images of any aspect ratio.

    Args:
        image_size: `(height, width)` of the images; only their ratio matters.
        rotation: degrees, counter-clockwise as one sees it: a number, or `(batch,)`.
        scale: how much larger things get, a number other than 0, or `(batch,)`.
        translation: shift to the right and down in widths and heights, `(2,)` or `(batch, 2)`.
        shear: shift to the right for each pixel down, a number, or `(batch,)`.

    Returns:
        float32 `(batch, 2, 3)`, a batch of 1 where all are numbers.

    Raises:
        ValueError: if `image_size` is no size, another one has another shape, or batches differ.

    Example:

    >>> import keras_resample as kr
    >>> matrix = kr.ops.affine_matrix((112, 96), rotation=[-20.0, 0.0, 20.0], scale=1.2)
    >>> kr.ops.grid_from_affine(matrix, (112, 96)).shape == (3, 112, 96, 2)
    True
    """
    height, width = as_size(image_size, "image_size")
    shift = _of_batch(translation, "translation", (2,))
    numbers = {
        "rotation": _of_batch(rotation, "rotation"),
        "scale": _of_batch(scale, "scale"),
        "translation": shift[:, 0],
        "down": shift[:, 1],
        "shear": _of_batch(shear, "shear"),
    }
    batches = {name: number.shape[0] for name, number in numbers.items() if name != "down"}
    if len(set(batches.values()) - {1, None}) > 1:
        raise ValueError(
            f"{', '.join(f'`{name}`' for name in batches)} must have one batch, or 1. "
            f"Received: batches {batches}"
        )
    shape = ops.shape(sum(numbers.values()))
    return affine_matrix_of(
        height / width, *(ops.broadcast_to(number, shape) for number in numbers.values())
    )


@one_program
def affine_matrix_of(aspect, rotation, scale, right, down, shear):
    """`affine_matrix` of float32 tensors (batch,), for a height over width that may be one."""
    angle = rotation * (math.pi / 180)
    cos, sin = ops.cos(angle) / scale, ops.sin(angle) / scale
    xx, xy = cos - shear * sin, (-sin - shear * cos) * aspect
    yx, yy = sin / aspect, cos
    rows = [[xx, xy, -(xx * right + xy * down)], [yx, yy, -(yx * right + yy * down)]]
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)


def affine_keypoints(keypoints, matrix):
    """Where keypoints are on images that were sampled at `grid_from_affine(matrix, size)`.

    A grid leads from places of the output to places of the input. Keypoints go the other way, so
    this is the inverse map: `M^-1 (p - 0.5 - m) + 0.5` with the columns `[M, m]` of the matrix.

    Args:
        keypoints: `(batch, n, 2)`, relative (x, y) of the images that were sampled. They are not
            clipped; one with a NaN stays NaN, for itself alone.
        matrix: `(batch, 2, 3)` or `(1, 2, 3)`, of a map that does not collapse the image: one that
            does gives NaN or infinity.

    Returns:
        float32 `(batch, n, 2)`, relative (x, y) of the samples.

    Raises:
        ValueError: if `keypoints` or `matrix` has another shape, or one another batch.

    Example:

    >>> import keras_resample as kr
    >>> to_the_right = kr.ops.affine_matrix((8, 8), translation=(0.25, 0.0))
    >>> moved = kr.ops.affine_keypoints([[[0.5, 0.5]]], to_the_right)
    >>> float(moved[0, 0, 0]), float(moved[0, 0, 1])
    (0.75, 0.5)
    """
    keypoints, matrix = as_keypoints(keypoints), as_matrix(matrix)
    check_batches(keypoints.shape, matrix.shape, "matrix")
    return _moved_back(keypoints, matrix)


@one_program
def _moved_back(keypoints, matrix):
    return moved_by_affine(keypoints, inverse_matrix(matrix))


def inverse_matrix(matrix):
    """The matrix (batch, 2, 3) of the inverse map, exact for the identity."""
    a, b, right, c, d, down = (matrix[:, row, column] for row in (0, 1) for column in (0, 1, 2))
    determinant = a * d - b * c
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    rows = [[a, b, -(a * right + b * down)], [c, d, -(c * right + d * down)]]
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)


def _of_batch(value, name, last=()):
    """`value` as a float32 tensor (batch or 1, *last)."""
    value = ops.cast(ops.convert_to_tensor(value), "float32")
    shape, rank = tuple(value.shape), len(value.shape) - len(last)
    if rank not in (0, 1) or shape[rank:] != last:
        kinds = "have shape (2,) or (batch, 2)" if last else "be a number or have shape (batch,)"
        raise ValueError(f"`{name}` must {kinds}. Received: {name} of shape {shape}")
    return value if rank else value[None]
