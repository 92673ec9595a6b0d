"""How `bezier_palms` draws: creases as antialiased Bezier curves, skin, light and noise.

Everything is in relative coordinates, (x, y) in [0, 1], so an image has the same content at
any size. Widths are in pixels of an image whose shorter side is 112.
"""

import numpy as np

REFERENCE_SIDE = 112
# A line thinner than this is drawn this wide and paler, so that it does not alias.
THINNEST_SIGMA = 0.45


def bernstein(num_points):
    """Cubic Bernstein weights at `num_points` equal steps: (num_points, 4)."""
    t = np.linspace(0.0, 1.0, num_points)[:, None]
    return np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)


def draw_creases(controls, depths, width, size):
    """Darkness of thin cubic Bezier curves.

    Each curve becomes a polyline. A pixel within reach of a segment gets
    `depth * exp(-d**2 / (2 sigma**2))`, d its distance to that segment, and keeps the
    largest value of all segments.

    Args:
        controls: (n, 4, 2) relative (x, y) control points.
        depths: (n,) darkness at the middle of each line.
        width: full width at half depth in reference pixels.
        size: (height, width) of the image.

    Returns:
        float64 (height, width).
    """
    height, width_px = size
    sigma = width * min(size) / REFERENCE_SIDE / 2.355
    depths = depths * min(1.0, sigma / THINNEST_SIGMA)
    sigma = max(sigma, THINNEST_SIGMA)

    controls = controls * (width_px, height)
    # The control polygon is at least as long as the curve.
    longest = np.sqrt((np.diff(controls, axis=1) ** 2).sum(-1)).sum(1).max(initial=0.0)
    step = max(1.25, sigma)
    points = bernstein(int(np.ceil(longest / step)) + 2) @ controls
    start, along = points[:, :-1].reshape(-1, 2), np.diff(points, axis=1).reshape(-1, 2)
    depths = np.repeat(depths, points.shape[1] - 1)

    reach = int(np.ceil(2.6 * sigma + step / 2))
    centre = np.floor(start + along / 2).astype("int32")
    inside = ((centre >= -reach) & (centre < (width_px + reach, height + reach))).all(1)
    start, along, depths, centre = start[inside], along[inside], depths[inside], centre[inside]

    window = np.arange(-reach, reach + 1, dtype="int32")
    columns, rows = np.tile(window, len(window)), np.repeat(window, len(window))
    to_first = (centre + 0.5 - start).astype("float32")
    x = to_first[:, :1] + columns.astype("float32")
    y = to_first[:, 1:] + rows.astype("float32")
    ax, ay = along[:, :1].astype("float32"), along[:, 1:].astype("float32")
    nearest = np.clip((x * ax + y * ay) / np.maximum(ax * ax + ay * ay, 1e-12), 0, 1)
    x -= nearest * ax
    y -= nearest * ay
    value = depths[:, None].astype("float32") * np.exp((x * x + y * y) * (-0.5 / sigma**2))

    # The frame of 2 * reach pixels takes what falls outside, so no index needs a check.
    frame = 2 * reach
    stride = width_px + 2 * frame
    canvas = np.zeros((height + 2 * frame) * stride, "float32")
    corner = (centre[:, 1] + frame) * stride + centre[:, 0] + frame
    np.maximum.at(canvas, (corner[:, None] + (rows * stride + columns)).ravel(), value.ravel())
    canvas = canvas.reshape(height + 2 * frame, stride)
    return canvas[frame : frame + height, frame : frame + width_px]


def smooth_field(random, cells, size):
    """Smooth noise of unit variance at the nodes of a (cells, cells) lattice: size."""
    nodes = random.standard_normal((cells, cells)).astype("float32")
    return _interpolation(size[0], cells) @ nodes @ _interpolation(size[1], cells).T


def _interpolation(length, cells):
    """Linear interpolation from `cells` nodes to `length` pixel centres: (length, cells)."""
    place = (np.arange(length) + 0.5) / length * (cells - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(cells)), 0).astype("float32")
