"""The places of an image that a sampler reads."""

from keras_resample.arguments import as_integer
from keras_resample.visualization.canvas import bare, new_axes, show_image
from keras_resample.visualization.segmentation_canvas import draw_points, points_of


def plot_sampling_points(
    grid_or_layer, image, step=None, color="#FF3B30", ax=None, data_format=None
):
    """Draws the sampling points of one image as dots on it, without axes.

    `plot_grid` draws the same grid as lines and with axes.

    Args:
        grid_or_layer: a `GridSampler`, which sees the image as it is given, or a grid
            `(h', w', 2)` or `(1, h', w', 2)`, relative (x, y).
        image: `(h, w)`, `(h, w, channels)` or `(channels, h, w)`, floats in [0, 1] or integers
            in 0..255.
        step: draws every `step`-th row and column of the grid; `None` keeps at most 64 along
            each axis.
        color: Matplotlib colour of the points.
        ax: Matplotlib axes to draw in; `None` makes a new figure.
        data_format: layout of `image`, `"channels_last"`, `"channels_first"` or `None` for the
            layer's or `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> layer = kr.layers.UniformDownsample(0.25, data_format="channels_last")
    >>> figure = kr.visualization.plot_sampling_points(layer, np.random.rand(64, 96, 3))
    >>> len(figure.axes[0].collections[0].get_offsets())
    384
    """
    step = None if step is None else as_integer(step, "step")
    if image is None:
        raise ValueError("`image` is needed to draw points on it. Received: image=None")
    grid, shown, (height, width) = points_of(grid_or_layer, image, data_format)
    figure, ax = new_axes(ax, width=4.2, height=max(1.2, min(8.0, 4.2 * height / width)))
    show_image(ax, shown, extent=(0, width, height, 0))
    draw_points(ax, grid, (height, width), step, color, side=4.2)
    ax.set(xlim=(0, width), ylim=(height, 0))
    bare(ax)
    return figure
