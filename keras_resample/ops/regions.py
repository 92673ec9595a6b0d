"""Boxes of images at one size: each is read as a grid of its own."""

import numpy as np
from keras import backend as keras_backend
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_bool, as_data_format, as_size
from keras_resample.backend.compiling import one_program
from keras_resample.ops.area_weights import area_weights, weighted_mean
from keras_resample.ops.sampling_arguments import check_concrete, check_images, sampled_dtype


def roi_align(images, boxes, size, box_indices=None, antialias=False, data_format=None):
    """Reads boxes of images, each at the same `size`.

    One bilinear sample for each bin, at its centre: `torchvision.ops.roi_align` with
    `aligned=True, sampling_ratio=1`, except that a sample beyond the frame reads the nearest pixel
    of the image (there it is 0 from one pixel on). `keras_resample.ops.sample` at
    `keras_resample.ops.grid_from_boxes` gives the same, and has other fills.

    With `antialias=True` a bin is the mean of `ceil(pixels of the box / bins)` samples along each
    axis, as many as its own box needs: `sampling_ratio=0` there. It is computed as two small
    matrices for each box, rows and columns of the image to rows and columns of the result, in
    memory of `bins * w * channels` for each box, however large the box.

    The gradient flows to images of floating dtype and to the boxes. Boxes are data, of which none
    is refused: a reversed one flips its crop, an empty one repeats one point, one with a NaN, or of
    an image that is not there, gives NaN, and only for itself.

    Args:
        images: `(batch, h, w, channels)`, or `(batch, channels, h, w)` under channels-first; of
            any dtype, h * w below 2^31.
        boxes: relative `(x_min, y_min, x_max, y_max)`, 0 and 1 are the outer edges of the image.
            `(batch, 4)` is one box for each image, `(batch, n, 4)` are n for each image, and
            `(n, 4)` with `box_indices` are boxes of any image.
        size: `(height, width)` of each result.
        box_indices: None, or integers `(n,)`: the image that each of `boxes` belongs to. No image
            is copied. Many antialiased boxes are faster as `(batch, n, 4)`.
        antialias: whether a bin is the mean of its own pixels instead of one sample. A NaN or
            infinite pixel then gives NaN in the bins that it has a part in.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(n, height, width, channels)`, or `(n, channels, height, width)`; for boxes of 3 axes with
        the batch before that. Floating images keep their dtype, others give float32.

    Raises:
        ValueError: for another shape of `boxes`, `box_indices` that are no integers or of another
            length, images that are not 4D or have an empty side, a `size` that is none, and for the
            images or boxes of a functional model, which take `keras_resample.layers.RoIAlign`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.random.rand(2, 56, 56, 8).astype("float32")
    >>> boxes = [[0.1, 0.1, 0.5, 0.5], [0.0, 0.5, 1.0, 1.0], [0.2, 0.2, 0.8, 0.9]]
    >>> crops = kr.ops.roi_align(images, boxes, (7, 7), [0, 0, 1], data_format="channels_last")
    >>> crops.shape == (3, 7, 7, 8)
    True

    Reference:
        He et al., "Mask R-CNN", ICCV 2017.
    """
    size, antialias = as_size(size), as_bool(antialias, "antialias")
    data_format = as_data_format(data_format)
    check_concrete("RoIAlign", images=images, boxes=boxes)
    images = ops.convert_to_tensor(images)
    boxes = ops.cast(ops.convert_to_tensor(boxes), "float32")
    check_images(images.shape, data_format)
    if box_indices is not None:
        box_indices = _as_indices(box_indices, boxes)
    check_boxes(images.shape, boxes.shape, box_indices is not None)
    first = data_format == "channels_first"
    if first:
        images = ops.transpose(images, (0, 2, 3, 1))
    backend.check_pixels("images", *ops.shape(images)[1:3])
    read = _read_area if antialias else _read_points
    if box_indices is None and len(boxes.shape) == 2:
        result = read(images, _in_pixels(boxes[:, None], images), size=size)[:, 0]
    elif box_indices is None:
        result = read(images, _in_pixels(boxes, images), size=size)
    elif images.shape[0] == 0:  # no box is of an image that is there
        result = ops.full((ops.shape(boxes)[0], *size, images.shape[3]), float("nan"))
    else:
        read = _read_area_of_any if antialias else _read_points_of_any
        result = read(images, _in_pixels(boxes, images), box_indices, size=size)
    result = ops.cast(result, sampled_dtype(images.dtype, "bilinear"))
    return ops.moveaxis(result, -1, -3) if first else result


def check_boxes(images, boxes, any_image=False):
    """Raises unless the shape of boxes fits to that of images, or is (n, 4) of any image."""
    boxes, batch = tuple(boxes), images[0]
    ranks = (2,) if any_image else (2, 3)
    if len(boxes) not in ranks or boxes[-1] != 4:
        shapes = "(n, 4) with `box_indices`" if any_image else "(batch, 4) or (batch, n, 4)"
        raise ValueError(
            f"`boxes` must have shape {shapes}: relative (x_min, y_min, x_max, y_max). "
            f"Received: boxes of shape {boxes}"
        )
    if not any_image and None not in (batch, boxes[0]) and boxes[0] != batch:
        raise ValueError(
            f"`boxes` must have the batch of the images, {batch}, unless `box_indices` says of "
            f"which image each is. Received: boxes of shape {boxes}"
        )


@one_program
def read_boxes(images, boxes, *, size):
    """One bilinear sample for each bin of boxes: (b, n, h', w', c) in the kernel's float dtype.

    Where as many bins as pixels fall on whole pixels this is a copy of them, and for a box that is
    the image a resize, to the last bit of a position.

    Args:
        images: (b, h, w, c).
        boxes: float32 (b, n, 4), outer edges (x_min, y_min, x_max, y_max) in pixels.
        size: height and width of the result, which may be tensors.
    """
    rows, cols = size
    batch, count, channels = ops.shape(images)[0], ops.shape(boxes)[1], images.shape[3]
    positions = ops.reshape(_bin_centers(boxes, size), (batch, count * rows * cols, 1, 2))
    result = backend.bilinear(images, positions)
    return ops.reshape(result, (batch, count, rows, cols, channels))


_read_points = read_boxes


@one_program
def _read_points_of_any(images, boxes, indices, *, size):
    indices, boxes = _existing(indices, boxes, images)
    positions = ops.reshape(_bin_centers(boxes, size), (-1, size[0] * size[1], 1, 2))
    result = backend.bilinear_of(images, positions, indices)
    return ops.reshape(result, (-1, *size, images.shape[3]))


@one_program
def _read_area(images, boxes, *, size):
    rows, cols = _bin_weights(boxes, size, images)
    return weighted_mean(images, rows, cols)


@one_program
def _read_area_of_any(images, boxes, indices, *, size):
    indices, boxes = _existing(indices, boxes, images)
    rows, cols = _bin_weights(boxes, size, images)

    def box(values):
        index, rows, cols = values
        image = ops.take(images, index[None], axis=0)
        return weighted_mean(image, rows[None, None], cols[None, None])[0, 0]

    dtype = backend.accumulator(keras_backend.standardize_dtype(images.dtype))
    return backend.mapped(box, (indices, rows, cols), (*size, images.shape[3]), dtype)


def _in_pixels(boxes, images):
    _, height, width, _ = ops.shape(images)
    sides = ops.cast(ops.stack([width, height, width, height]), "float32")
    return boxes * sides


def _bin_centers(boxes, size):
    """Pixel coordinates (..., h', w', 2) of the centres of bins of boxes (..., 4) in pixels."""
    rows, cols = (
        low + ((ops.arange(0, count, dtype="float32") + 0.5) * pitch - 0.5)
        for low, pitch, count in _bins(boxes, size)
    )
    shape = (*ops.shape(rows), ops.shape(cols)[-1])
    x = ops.broadcast_to(cols[..., None, :], shape)
    y = ops.broadcast_to(rows[..., :, None], shape)
    return ops.stack([x, y], axis=-1)


def _bin_weights(boxes, size, images):
    """Shares of rows (..., h', h) and columns (..., w', w) of the images in bins of boxes."""
    sides = ops.shape(images)[1:3]
    return (
        area_weights(low, pitch, count, side)
        for (low, pitch, count), side in zip(_bins(boxes, size), sides, strict=True)
    )


def _bins(boxes, size):
    """Of rows and of columns: where the first bin starts (..., 1), its extent, and their number."""
    for axis, count in ((1, size[0]), (0, size[1])):
        low, high = boxes[..., axis : axis + 1], boxes[..., axis + 2 : axis + 3]
        yield low, (high - low) / ops.cast(count, "float32"), count


def _existing(indices, boxes, images):
    """Indices of images that are there, and NaN for the boxes of others."""
    batch = ops.shape(images)[0]
    is_there = (indices >= 0) & (indices < batch)
    indices = ops.cast(ops.where(is_there, indices, 0), "int32")
    return indices, ops.where(is_there[:, None], boxes, float("nan"))


def _as_indices(box_indices, boxes):
    if not ops.is_tensor(box_indices):
        box_indices = np.asarray(box_indices)
        if box_indices.dtype.kind in "iu":  # JAX would cut numbers of 64 bits in half
            box_indices = np.clip(box_indices, -1, np.iinfo("int32").max).astype("int32")
        elif box_indices.size == 0:
            box_indices = box_indices.astype("int32")
    indices = ops.convert_to_tensor(box_indices)
    if not keras_backend.is_int_dtype(indices.dtype) or len(indices.shape) != 1:
        raise ValueError(
            "`box_indices` must be integers of shape (n,). Received: box_indices of shape "
            f"{tuple(indices.shape)}, {keras_backend.standardize_dtype(indices.dtype)}"
        )
    if None not in (indices.shape[0], boxes.shape[0]) and indices.shape[0] != boxes.shape[0]:
        raise ValueError(
            f"`box_indices` must say for each of {boxes.shape[0]} boxes of which image it is. "
            f"Received: box_indices of shape {tuple(indices.shape)}"
        )
    return indices
