"""Images turned and scaled so that their keypoints lie where a template has them."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_data_format, as_number, as_size
from keras_resample.backend.compiling import one_program
from keras_resample.ops.affine import affine_keypoints
from keras_resample.ops.grids import grid_from_affine
from keras_resample.ops.keypoints import as_keypoints, check_keypoints
from keras_resample.ops.sampling import image_sides, sample
from keras_resample.ops.sampling_arguments import check_concrete, check_images

# Left and right eye of the image, nose, left and right corner of the mouth: insightface's places in
# a face of 112 x 112 pixels, whose centres are at integers.
FACE_TEMPLATE = (
    np.array(
        [
            (38.2946, 51.6963),
            (73.5318, 51.5014),
            (56.0252, 71.7366),
            (41.5493, 92.3655),
            (70.7299, 92.2041),
        ]
    )
    + 0.5
) / 112
# Of the points' spread the square of the share that a similarity has to explain, and the least
# spread: closer together than a 10,000th of the image they are one point.
EXPLAINED, SPREAD = 1e-4, 1e-8


def face_template():
    """The five points of an aligned face, where recognition networks expect them.

    Left and right eye as seen in the image, nose, left and right corner of the mouth: the template
    of insightface, 112 x 112 pixels with centres at integers, in relative coordinates.

    Returns:
        float64 numpy array `(5, 2)`, relative (x, y).

    Example:

    >>> import keras_resample as kr
    >>> (kr.ops.face_template()[0] * 112 - 0.5).round(4).tolist()
    [38.2946, 51.6963]
    """
    return FACE_TEMPLATE.copy()


def similarity_matrix(keypoints, image_size, size=(112, 112), template="face"):
    """The matrix of `grid_from_affine` that brings keypoints to a template.

    Of all turns, scalings and shifts of pixels, without mirroring, the one that minimizes the sum
    over the points of `|a s + b - t|^2`, with keypoint s in pixels of the image and t in those of
    the result, as complex numbers: `a = sum conj(s) t / sum |s|^2` of the centred points
    (Umeyama). The matrix is its inverse in relative coordinates.

    A keypoint with NaN or infinity is missing, and the fit is that of the others. Where fewer than
    two different points are left, or no turn brings them nearer, there is nothing to align by: the
    matrix is the identity, a plain resize.

    Args:
        keypoints: `(batch, n, 2)`, relative (x, y).
        image_size: `(height, width)` of the images; only the ratio matters.
        size: `(height, width)` of the result; only the ratio matters.
        template: `"face"`, which is `face_template()`, or relative (x, y) of the result, `(n, 2)`.

    Returns:
        float32 `(batch, 2, 3)`.

    Raises:
        ValueError: if `keypoints` has another shape or number of points than the template, the
            template fewer than two different points, or a size is none.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> aligned = kr.ops.face_template()[None]
    >>> turned = kr.ops.affine_keypoints(aligned, kr.ops.affine_matrix((112, 112), rotation=30))
    >>> matrix = kr.ops.similarity_matrix(turned, image_size=(112, 112))
    >>> back = kr.ops.affine_keypoints(turned, matrix)
    >>> bool(abs(keras.ops.convert_to_numpy(back) - aligned).max() < 1e-5)
    True

    Reference:
        Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
        IEEE TPAMI 1991.
    """
    sides = as_size(image_size, "image_size")
    return _similarity_matrix(as_keypoints(keypoints), sides, as_size(size), as_template(template))


def align(
    images,
    keypoints,
    size=(112, 112),
    template="face",
    alpha=1.0,
    interpolation="bilinear",
    fill_mode="nearest",
    fill_value=0.0,
    antialias=False,
    data_format=None,
):
    """Images aligned by their keypoints, and where the keypoints are on them.

    Samples images at the grid of `similarity_matrix`; with `alpha < 1` at that of
    `I + alpha (M - I)`, on the straight way from the image as it is, resized, to the aligned one.

    Args:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`.
        keypoints: `(batch, n, 2)`, relative (x, y). What is missing, and images with nothing to
            align by, are treated as in `similarity_matrix`.
        size: `(height, width)` of the result.
        template: `"face"`, or relative (x, y) of the result, `(n, 2)`.
        alpha: how far to go, from 0, exactly a resize, to 1, aligned.
        interpolation, fill_mode, fill_value, antialias: as in `sample`. Published alignments of
            faces are black outside of the image: `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(images, keypoints)`: `(batch, *size, channels)` or `(batch, channels, *size)`, and float32
        `(batch, n, 2)`, relative (x, y) of them.

    Raises:
        ValueError: for what `similarity_matrix` and `sample` refuse, an `alpha` outside of [0, 1],
            keypoints of another batch, and for the inputs of a functional model, which take
            `keras_resample.layers.KeypointAlignment`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> photographs = np.random.rand(2, 125, 125, 3).astype("float32")
    >>> points = 0.3 + 0.4 * np.random.rand(2, 5, 2)
    >>> faces, points = kr.ops.align(photographs, points, data_format="channels_last")
    >>> faces.shape == (2, 112, 112, 3) and points.shape == (2, 5, 2)
    True

    Reference:
        The interpolation is that of Fig. 5 of "KeyPoint Relative Position Encoding for Face
        Recognition", CVPR 2024.
    """
    size, alpha = as_size(size), as_number(alpha, "alpha", "[0, 1]")
    data_format = as_data_format(data_format)
    check_concrete("KeypointAlignment", images=images, keypoints=keypoints)
    images, keypoints = ops.convert_to_tensor(images), as_keypoints(keypoints)
    check_images(images.shape, data_format)
    check_keypoints(keypoints.shape, images.shape[0])
    sides = image_sides(images, data_format)
    matrix = _similarity_matrix(keypoints, sides, size, as_template(template), alpha)
    aligned = sample(
        images,
        grid_from_affine(matrix, size),
        interpolation,
        fill_mode,
        fill_value,
        antialias,
        data_format,
    )
    return aligned, affine_keypoints(keypoints, matrix)


def check_count(keypoints, template):
    """Raises unless a shape of keypoints (batch, n, 2) has as many as the template."""
    if keypoints[1] not in (None, len(template)):
        raise ValueError(
            f"`keypoints` must be the {len(template)} of the template for each image. "
            f"Received: keypoints of shape {tuple(keypoints)}"
        )


def as_template(template):
    """`template` as a float64 numpy array (n, 2)."""
    points = FACE_TEMPLATE if isinstance(template, str) and template == "face" else template
    try:
        points = np.asarray(points, "float64")
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(
            '`template` must be "face", or finite relative (x, y) of shape (n, 2). '
            f"Received: template={template!r}"
        )
    if np.square(points - points[:1]).sum() < SPREAD:
        raise ValueError(
            f"`template` must have two different points. Received: template={template!r}"
        )
    return points


def fit_similarity(source, target, numpy):
    """Least squares of `target = a * source + b` of points as complex numbers, and its inverse.

    Args:
        source: (batch, n, 2); points that are not finite are left out.
        target: (n, 2).
        numpy: `numpy`, or `keras.ops` for tensors.

    Returns:
        `(real, imaginary)` of 1 / a, (batch, 1) each, the means of source and target (batch, 2),
        and whether there is such a map, (batch, 1).
    """
    is_there = numpy.all(numpy.isfinite(source), axis=-1, keepdims=True)
    source, target = numpy.where(is_there, source, 0.0), numpy.where(is_there, target, 0.0)
    ones = numpy.ones_like(source[..., :1])
    count = numpy.maximum(numpy.sum(numpy.where(is_there, ones, 0.0), axis=1), 1.0)
    means = [numpy.sum(points, axis=1) / count for points in (source, target)]
    source, target = (
        numpy.where(is_there, points - mean[:, None], 0.0)
        for points, mean in zip((source, target), means, strict=True)
    )
    x, y, target_x, target_y = source[..., 0], source[..., 1], target[..., 0], target[..., 1]
    spread, target_spread, real, imaginary = (
        numpy.sum(products, axis=1)[:, None]
        for products in (
            x * x + y * y,
            target_x * target_x + target_y * target_y,
            x * target_x + y * target_y,
            x * target_y - y * target_x,
        )
    )
    squared = real * real + imaginary * imaginary
    is_found = (spread > SPREAD) & (squared > EXPLAINED * spread * target_spread)
    scale = spread / numpy.where(is_found, squared, 1.0)
    return (scale * real, -scale * imaginary), means, is_found


def _similarity_matrix(keypoints, image_size, size, template, alpha=1.0):
    check_count(keypoints.shape, template)
    aspect = ops.cast(image_size[1], "float32") / ops.cast(image_size[0], "float32")
    return _matrix_of(
        keypoints, aspect, ops.cast(template, "float32"), alpha, aspect_of_result=size[1] / size[0]
    )


@one_program
def _matrix_of(keypoints, aspect, template, alpha, *, aspect_of_result):
    # In units of the height, of the image and of the result, a turn is a turn.
    units = ops.stack([aspect, ops.ones_like(aspect)])
    units_of_result = ops.cast([aspect_of_result, 1.0], "float32")
    (real, imaginary), (mean, target_mean), is_found = fit_similarity(
        keypoints * units, template * units_of_result, ops
    )
    xx, xy = real * (aspect_of_result / aspect), -imaginary / aspect
    yx, yy = imaginary * aspect_of_result, real
    linear = ops.stack([ops.concatenate(row, -1) for row in ((xx, xy), (yx, yy))], axis=1)
    from_centre = target_mean / units_of_result - 0.5
    shift = mean / units - 0.5 - ops.sum(linear * from_centre[:, None], axis=-1)
    matrix = ops.concatenate([linear, shift[..., None]], axis=-1)
    identity = ops.eye(2, 3, dtype="float32")
    return identity + alpha * ops.where(is_found[..., None], matrix - identity, 0.0)
