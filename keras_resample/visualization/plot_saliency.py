"""What a saliency sampler finds important."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_number
from keras_resample.visualization.canvas import bare, new_axes, read_image, show_image
from keras_resample.visualization.segmentation_canvas import draw_points, layer_images, points_of


def plot_saliency(saliency, image=None, points=False, alpha=0.6, ax=None, data_format=None):
    """Draws a saliency map over the image it belongs to.

    The colour is the saliency of a cell over the mean of all cells: 1 everywhere for a map that
    samples uniformly.

    Args:
        saliency: a `SaliencySampler` with an `image`, which it sees as it is given; or a map
            `(gh, gw)` or `(1, gh, gw)`, nonnegative.
        image: the image below the map, `(h, w)`, `(h, w, channels)` or `(channels, h, w)`,
            floats in [0, 1] or integers in 0..255.
        points: whether to draw the sampling points too; needs a sampler.
        alpha: opacity of the map over the image, in [0, 1].
        ax: Matplotlib axes to draw in; `None` makes a new figure.
        data_format: layout of `image`, `"channels_last"`, `"channels_first"` or `None` for the
            sampler's or `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_saliency(np.random.rand(31, 31), np.random.rand(64, 96))
    >>> len(figure.axes)
    2
    """
    alpha, points = as_number(alpha, "alpha", "[0, 1]"), as_bool(points, "points")
    layer = saliency if hasattr(saliency, "saliency_map") else None
    if layer is not None and image is None:
        raise ValueError("`image` is needed for the map of a layer. Received: image=None")
    if points and layer is None:
        raise ValueError(
            "`points` needs a layer that samples by its map, such as SaliencySampler. "
            f"Received: points={points!r}, saliency={type(saliency).__name__}"
        )
    if layer is not None:
        data_format = data_format or layer.data_format
        saliency = layer.saliency_map(layer_images(layer, image))
    shown = None if image is None else read_image(image, data_format)
    cells = _relative(saliency)
    height, width = cells.shape if shown is None else shown.shape[:2]
    figure, ax = new_axes(ax, width=4.8, height=max(1.4, min(8.0, 4.2 * height / width)))
    extent = (0, width, height, 0)
    if shown is not None:
        show_image(ax, shown.mean(-1, keepdims=True), extent=extent)
    drawn = ax.imshow(
        cells,
        cmap="viridis",
        vmin=0.0,
        vmax=max(2.0, float(cells.max())),
        extent=extent,
        alpha=1.0 if shown is None else alpha,
        interpolation="nearest",
    )
    if points:
        draw_points(ax, points_of(layer, image, None)[0], (height, width), side=4.2)
    ax.set(xlim=(0, width), ylim=(height, 0))
    bare(ax)
    bar = figure.colorbar(drawn, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label("saliency / mean", fontsize=8)
    bar.solids.set_alpha(1.0)
    bar.ax.tick_params(labelsize=8)
    return figure


def _relative(saliency):
    """The map (gh, gw) over its mean; a map of zeros stays."""
    cells = np.asarray(ops.convert_to_numpy(saliency), "float32")
    if cells.ndim == 3 and cells.shape[0] == 1:
        cells = cells[0]
    if cells.ndim != 2 or cells.size == 0 or not np.isfinite(cells).all() or cells.min() < 0:
        raise ValueError(
            "`saliency` must be a sampler with a saliency map, or one map (gh, gw), finite and "
            f"nonnegative. Received: saliency of shape {cells.shape}"
        )
    mean = cells.mean(dtype="float64")
    return cells / mean if mean > 0 else cells
