"""The kernels on TensorFlow. The bilinear one: four gathers that XLA may fuse, and their
derivative by hand.

`fusion` marks operations for XLA where it is linked. A SavedModel of them stays an ordinary graph
that any server runs; a nested `jit_compile=True` would refuse without the compiler. The gradient to
the images is faster as an ordinary graph, so it is outside of the scope.
"""

import contextlib
import math

import tensorflow as tf
from keras import ops

from keras_resample.backend import attention, reference
from keras_resample.backend.reference import grid_gradients, tap_shares

FEW_ROWS = 16  # that are compared one by one faster than `argmin` does, and soon compiled


def fusion():
    """Marks operations for XLA."""
    return _marked(True)


def _marked(for_xla):
    """Context of operations that are for XLA or not; TensorFlow knows none in eager mode."""
    if tf.executing_eagerly():
        return contextlib.nullcontext()
    return tf.xla.experimental.jit_scope(compile_ops=for_xla)


def check_pixels(name, height, width):
    """See `reference.check_pixels`. Not in a fusion, which would leave the assertion out."""
    if isinstance(height, int) and isinstance(width, int):
        reference.check_pixels(name, height, width)
        return
    with _marked(False):
        pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        message = reference.too_many_pixels(name)
        most = tf.constant(reference.MOST_PIXELS, tf.int64)
        tf.debugging.assert_less_equal(pixels, most, message)


def of_size(images, height, width, sizes, message):
    """See `reference.of_size`. Not in a fusion, which would leave the assertion out."""
    with _marked(False):
        fits = [tf.logical_and(height == one[0], width == one[1]) for one in sizes]
        check = tf.debugging.Assert(tf.reduce_any(fits), [message, height, width])
        with tf.control_dependencies([check]):
            return tf.identity(images)


def sizes(images):
    """(b, h, w, c) of the images, as numbers where they are known."""
    dynamic = tf.shape(images)
    return [dynamic[i] if n is None else n for i, n in enumerate(images.shape)]


def taps(images, x, y):
    """The flat indices of the four taps, and the fractions."""
    _, height, width, _ = sizes(images)

    def split(coordinate, size):
        low = tf.cast(tf.floor(coordinate), tf.int32)
        low = tf.clip_by_value(low, 0, tf.maximum(size - 2, 0))
        return low, coordinate - tf.cast(low, coordinate.dtype)

    left, fx = split(x, width)
    top, fy = split(y, height)
    first, right, below = top * width + left, tf.minimum(width - 1, 1), tf.minimum(height - 1, 1)
    steps = (0, right, width * below, width * below + right)
    return [first + step for step in steps], fx, fy


def take(images, indices):
    """Reads pixels of (b, n, c) images at `indices` (b or 1, p, k) -> (b, p, k, c)."""
    if images.shape[0] == 1:  # faster than along the second axis
        return tf.gather(images[0], indices[0])[None]
    if indices.shape[0] == 1:
        return tf.gather(images, indices[0], axis=1)
    return tf.gather(images, indices, axis=1, batch_dims=1)


def gather(table, index, axis=0):
    """See `reference.gather`."""
    return tf.gather(table, index, axis=axis)


def forward(images, x, y, weights):
    """The weighted sum; `add_n`, as the optimizer would take a chain of `+` out of the fusion.

    In two fusions, so that what is shared by the batch is not computed again in every image.
    """
    batch, height, width, channels = sizes(images)
    with fusion():
        indices, fx, fy = taps(images, x, y)
        shares = tap_shares(fx, fy, weights)
    with fusion():
        table = tf.reshape(images, (batch, height * width, channels))
        pairs = zip(indices, shares, strict=True)
        terms = [tf.cast(take(table, index), fx.dtype) * share[..., None] for index, share in pairs]
        total = tf.add_n(terms)
        return total[:, :, 0] if x.shape[2] == 1 else tf.reduce_sum(total, axis=2)


def backward_to_grid(images, x, y, weights, upstream):
    """The gradients to `x`, `y` and `weights`."""
    batch, height, width, channels = sizes(images)
    indices, fx, fy = taps(images, x, y)
    with fusion():
        table = tf.reshape(images, (batch, height * width, channels))
        pixels = [tf.cast(take(table, index), fx.dtype) for index in indices]
        products = [tf.reduce_sum(taken * upstream[:, :, None], axis=3) for taken in pixels]
    if x.shape[0] == 1:
        products = [tf.reduce_sum(product, axis=0, keepdims=True) for product in products]
    return grid_gradients(products, fx, fy, weights)


def backward_to_images(images, x, y, weights, upstream):
    batch, height, width, channels = sizes(images)
    indices, fx, fy = taps(images, x, y)
    indices = tf.stack(indices, axis=-1)
    shares = tf.stack(tap_shares(fx, fy, weights), axis=-1)
    if x.shape[0] == 1:
        values = rows(upstream, batch)[:, :, None, None] * shares[..., None]
        total = tf.math.unsorted_segment_sum(values, indices, height * width)
        total = tf.transpose(tf.reshape(total, (height * width, batch, channels)), (1, 0, 2))
    else:
        index = reference.index_dtype(batch, height, width)
        count, pixels = (tf.cast(n, index) for n in (batch, height * width))
        indices = tf.cast(indices, index) + tf.reshape(tf.range(count) * pixels, (-1, 1, 1, 1))
        values = upstream[:, :, None, None] * shares[..., None]
        total = tf.math.unsorted_segment_sum(values, indices, count * pixels)
    return tf.cast(tf.reshape(total, (batch, height, width, channels)), images.dtype)


def rows(values, batch):
    """(b, n, c) to (1, n, b * c): one "image" whose pixels have the channels of the whole batch."""
    values = tf.transpose(values, (1, 0, 2))
    count, _, channels = sizes(values)
    return tf.reshape(values, (1, count, batch * channels))


def bilinear(images, positions, weights=None):
    """See `reference.bilinear`. The derivative can be derived again."""
    images = tf.convert_to_tensor(images)
    dtype = tf.float64 if images.dtype == tf.float64 else tf.float32
    _, height, width, _ = sizes(images)
    x, y = tf.unstack(tf.cast(positions, dtype), axis=-1)
    x = tf.clip_by_value(x, 0, tf.cast(width - 1, dtype))
    y = tf.clip_by_value(y, 0, tf.cast(height - 1, dtype))
    tensors = [images, x, y] + ([] if weights is None else [tf.cast(weights, dtype)])

    @tf.custom_gradient
    def kernel(images, x, y, weights=None):
        def gradient(upstream):  # a graph drops the part that nobody asks for
            to_grid = backward_to_grid(images, x, y, weights, upstream)
            to_images = None
            if images.dtype.is_floating:
                to_images = backward_to_images(images, x, y, weights, upstream)
            return (to_images, *to_grid)[: len(tensors)]

        return forward(images, x, y, weights), gradient

    return kernel(*tensors)


def grouped_convolution(inputs, kernel, strides, padding, data_format, dilation_rate):
    """A depthwise convolution and a sum: Keras's own, by XLA alone, is slower on a CPU too."""
    height, width, in_group, filters = kernel.shape
    axis = 3 if data_format == "channels_last" else 1
    groups = inputs.shape[axis] // in_group
    kernel = tf.reshape(kernel, (height, width, in_group, groups, filters // groups))
    kernel = tf.transpose(kernel, (0, 1, 3, 2, 4))
    kernel = tf.reshape(kernel, (height, width, groups * in_group, filters // groups))
    products = ops.depthwise_conv(
        inputs, kernel, tuple(strides), padding, data_format, dilation_rate
    )
    shape = sizes(products)
    parts = [*shape[:axis], groups, in_group, filters // groups, *shape[axis + 1 :]]
    total = tf.reduce_sum(tf.reshape(products, parts), axis + 1)
    return tf.reshape(total, [*shape[:axis], filters, *shape[axis + 1 :]])


def smallest(values, count):
    """See `reference.smallest`, which is as fast for few rows; their number may be unknown here."""
    if count > 1:
        found = tf.math.top_k(-tf.transpose(values), count)
        return -tf.transpose(found.values), tf.transpose(found.indices)
    if (values.shape[0] or math.inf) <= FEW_ROWS:
        return reference.smallest(values, 1)
    index = tf.argmin(values, axis=0, output_type="int32")
    return tf.reduce_min(values, axis=0)[None], index[None]


def read_tables(ids, tables):
    """See `attention.read_tables`."""
    return attention.read_tables(ids, tables, gather)


def fuses_attention(bias, dtype, training=None):
    """See `attention.fuses_attention`: two products and a softmax are faster."""
    return False


def gelu(x):
    """See `reference.gelu`; TensorFlow's own has an operation that ONNX files do not know."""
    return 0.5 * x * (1 + tf.math.erf(x * math.sqrt(0.5)))


def mapped(function, values, shape, dtype):
    """See `reference.mapped`: `keras.ops.map` traces the function twice, to learn what it gives."""
    known = [n if isinstance(n, int) else None for n in shape]

    def one_by_one():
        return tf.map_fn(function, values, fn_output_signature=tf.TensorSpec(known, dtype))

    count = sizes(tf.nest.flatten(values)[0])[0]
    if isinstance(count, int) or None not in known:
        return one_by_one()
    # A stack of none has no sizes to learn.
    return tf.cond(count > 0, one_by_one, lambda: tf.zeros([0, *shape], dtype))


def significance(maps, floor):
    """See `reference.significance`, which takes over where there is a GPU, and for maps of a
    size that is not known: XLA would lose it in a loop.
    """
    if None in maps.shape[1:] or tf.config.list_physical_devices("GPU"):
        return reference.significance(maps, floor)
    batch, height, width, channels = sizes(maps)
    table = tf.reshape(maps, (batch, height * width, channels))

    def of_one(index):
        pixels = tf.cast(table[index], tf.float32)
        centered = pixels - tf.reduce_mean(pixels, axis=0)
        variance = tf.reduce_mean(tf.square(centered), axis=0)
        scale = tf.math.rsqrt(variance + floor) / tf.cast(channels, tf.float32)
        found = tf.linalg.matvec(centered, scale)
        found -= tf.reduce_mean(found)  # the mean of a column is rounded, this one is small
        return tf.reshape(found, (height, width))

    return mapped(of_one, tf.range(batch), (height, width), tf.float32)
