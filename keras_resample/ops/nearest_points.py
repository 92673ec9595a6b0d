"""Which point of a grid is nearest to each pixel."""

from keras import ops

CHUNK = 256  # pixels at a time


def nearest_points(points, height, width):
    """Index of the point nearest to each pixel's centre.

    Args:
        points: float32 (b, n, 2), pixel coordinates (x, y), 0 the outer edge of the first pixel.
            A NaN point is nearest to nothing.
        height, width: the image's, integers or tensors.

    Returns:
        int32 (b, height * width).
    """
    points = ops.where(ops.isnan(points), float("inf"), points)
    pixels = height * width
    chunks = (pixels + CHUNK - 1) // CHUNK
    places = ops.reshape(ops.arange(chunks * CHUNK, dtype="int32"), (chunks, CHUNK))

    def image(points):
        def chunk(place):
            x, y = ops.cast(place % width, "float32"), ops.cast(place // width, "float32")
            dx, dy = points[:, 0] - (x[:, None] + 0.5), points[:, 1] - (y[:, None] + 0.5)
            return ops.cast(ops.argmin(dx * dx + dy * dy, axis=1), "int32")

        return ops.reshape(ops.map(chunk, places), (-1,))[:pixels]

    return ops.map(image, points)
