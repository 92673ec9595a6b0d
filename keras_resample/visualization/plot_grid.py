"""Where a sampler looks."""

import numpy as np

from keras_resample.arguments import as_bool, as_integer
from keras_resample.visualization.canvas import COLORS, new_axes, read_grid, read_image, show_image

# More lines than this along an axis run together in print.
MAX_LINES = 28


def plot_grid(
    grid_or_layer, image=None, points=False, step=None, color=None, ax=None, data_format=None
):
    """Draws a sampling grid over the image it samples.

    Each line connects the places that one row or column of the output reads: where lines are close,
    the output is detailed.

    Args:
        grid_or_layer: a `GridSampler` (built, or given an `image`), or a grid `(h', w', 2)` or
            `(1, h', w', 2)`, relative (x, y).
        image: the image below the grid, `(h, w)`, `(h, w, channels)` or `(channels, h, w)`, floats
            in [0, 1] or integers in 0..255. Needed for a layer whose grid depends on the image.
        points: whether to draw the sampling places instead of lines.
        step: draws every `step`-th row and column; `None` keeps at most 28 lines along each axis,
            and all points.
        color: Matplotlib colour of the grid.
        ax: Matplotlib axes to draw in; `None` makes a new figure.
        data_format: layout of `image`, `"channels_last"`, `"channels_first"` or `None` for the
            layer's or `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself. Axes are in
        pixels of the image, or relative where its size is unknown.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_grid(kr.ops.uniform_grid((14, 14)))
    >>> figure.axes[0].get_xlabel()
    'x (relative)'
    """
    step = None if step is None else as_integer(step, "step")
    data_format = data_format or getattr(grid_or_layer, "data_format", None)
    if image is not None:
        image = read_image(image, data_format)
    grid, size = read_grid(grid_or_layer, image)
    height, width = size or (1.0, 1.0)
    aspect = height / width if size else grid.shape[0] / grid.shape[1]
    figure, ax = new_axes(ax, width=4.2, height=max(1.5, min(7.0, 3.6 * aspect + 0.5)))
    if image is not None:
        show_image(ax, image, extent=(0, width, height, 0))
    color = color or (COLORS[4] if image is not None else COLORS[0])
    places = grid * np.array([width, height], "float32")
    draw = _draw_points if as_bool(points, "points") else _draw_lines
    draw(ax, places, step, color, halo=image is not None)
    unit = "pixels" if size else "relative"
    ax.set(xlabel=f"x ({unit})", ylabel=f"y ({unit})", aspect="equal" if size else aspect)
    margin = 0.01
    ax.set_xlim(*_limits(places[..., 0], width, margin))
    ax.set_ylim(*_limits(places[..., 1], height, margin)[::-1])
    return figure


def _limits(values, extent, margin):
    """Shows the whole image and every place outside it."""
    values = values[np.isfinite(values)]
    low, high = np.min(values, initial=0.0), np.max(values, initial=extent)
    return low - margin * extent, high + margin * extent


def _draw_lines(ax, places, step, color, halo):
    from matplotlib import patheffects
    from matplotlib.collections import LineCollection

    rows, columns = places.shape[:2]
    lines = [places[i] for i in _chosen(rows, step)]
    lines += [places[:, j] for j in _chosen(columns, step)]
    width = 1.0 if len(lines) <= MAX_LINES else 0.6
    # A thin dark rim keeps the lines visible on bright and on dark images.
    effects = [patheffects.withStroke(linewidth=width + 0.5, foreground="black", alpha=0.3)]
    ax.add_collection(
        LineCollection(
            lines, colors=color, linewidths=width, path_effects=effects if halo else None
        )
    )


def _draw_points(ax, places, step, color, halo):
    places = places[:: step or 1, :: step or 1].reshape(-1, 2)
    size = np.clip(4000.0 / len(places), 1.2, 14.0)
    rim = {"edgecolors": "black", "linewidths": 0.2} if halo and size > 2 else {"linewidths": 0}
    ax.scatter(*places.T, s=size, color=color, **rim)


def _chosen(count, step):
    """Indices of the lines to draw: evenly spaced, the first and the last among them."""
    if step is not None:
        return range(0, count, step)
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, MAX_LINES))).astype(int))
