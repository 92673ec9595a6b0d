"""What a bias of attention adds to the logits of one query, over the grid of the patches."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_integers
from keras_resample.layers.attention.patch_grid import as_grid_size
from keras_resample.visualization.canvas import bare, new_figure, read_images, show_image

QUERY_COLOR, KEYPOINT_COLOR = "#000000", "#009E73"
PANEL = 2.0  # inches


def plot_attention_bias(bias, grid_size, query=None, keypoints=None, images=None, data_format=None):
    """Draws the bias of one query with every key, a panel for each image.

    Softmax knows no constant, so the mean over the keys is taken away. All panels have one scale
    of colours. A star marks the query, dots are the keypoints.

    Args:
        bias: `(n, n)`, or `(k, n, n)` for k panels, query by key, of one head. A
            `KeypointRelativeBias` gives those of all heads, `bias(keypoints, index=0)[:, head]`.
        grid_size: `(rows, columns)` of the patches, or one integer for a square; `n = rows *
            columns`, so leave class tokens out.
        query: `(row, column)` of the patch that asks. Default: the middle one, as in the paper.
        keypoints: `(k, m, 2)`, relative (x, y), or `None`. NaN are not drawn.
        images: `(k, h, w, channels)` or `(k, channels, h, w)`, drawn in a row above, floats in
            [0, 1] or integers in 0..255; or `None`.
        data_format: layout of `images`, `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape, or `query` is outside of the grid.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> layer = kr.layers.KeypointRelativeBias(num_heads=4, grid_size=7)
    >>> keypoints = np.random.rand(2, 5, 2)
    >>> bias = layer(keypoints, index=0)[:, 0]
    >>> figure = kr.visualization.plot_attention_bias(bias, 7, keypoints=keypoints)
    >>> len(figure.axes)  # two panels and the scale
    3

    Reference:
        Fig. 3 of "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024.
    """
    rows, columns = as_grid_size(grid_size)
    bias = _read_bias(bias, rows * columns)
    row, column = _read_query(query, rows, columns)
    count = len(bias)
    places = None if keypoints is None else _read_keypoints(keypoints, count)
    if images is not None:
        images = read_images(images, data_format)
        _check_count(images.shape, count, "images")
    shown = bias[:, row * columns + column].reshape(count, rows, columns)
    shown = shown - shown.mean(axis=(1, 2), keepdims=True)
    lines = 1 if images is None else 2
    figure = new_figure(PANEL * count + 0.8, PANEL * lines * min(max(rows / columns, 0.3), 3.0))
    panels = figure.subplots(lines, count, squeeze=False)
    # Rounding of a bias that is none stays white.
    limit = max(float(np.nanmax(np.abs(shown), initial=0.0)), 1e-6)
    for i, ax in enumerate(panels[-1]):
        drawn = ax.imshow(
            shown[i],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            extent=(0, 1, 1, 0),
            aspect=rows / columns,
            interpolation="nearest",
        )
        ax.plot((column + 0.5) / columns, (row + 0.5) / rows, "*", color=QUERY_COLOR, markersize=11)
    figure.colorbar(drawn, ax=list(panels[-1]), shrink=0.8)
    for ax, image in zip(panels[0], [] if images is None else images, strict=False):
        show_image(ax, image, extent=(0, 1, 1, 0))
        ax.set_aspect(image.shape[0] / image.shape[1])
    for line in panels:
        for i, ax in enumerate(line):
            if places is not None:
                ax.plot(*places[i].T, "o", color=KEYPOINT_COLOR, markersize=4)
            ax.set(xlim=(0, 1), ylim=(1, 0))
            bare(ax)
    return figure


def _read_bias(bias, tokens):
    """Bias (k, n, n), in numpy."""
    array = np.asarray(ops.convert_to_numpy(bias), "float64")
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1:] != (tokens, tokens) or not len(array):
        raise ValueError(
            f"`bias` must have shape (n, n) or (k, n, n), with n = {tokens} patches of "
            f"`grid_size`. Received: bias of shape {np.shape(bias)}"
        )
    return array


def _read_query(query, rows, columns):
    row, column = (
        (rows // 2, columns // 2) if query is None else as_integers(query, "query", 0, length=2)
    )
    if row >= rows or column >= columns:
        raise ValueError(
            f"`query` must be a (row, column) of the {rows} x {columns} patches. "
            f"Received: query={query}"
        )
    return row, column


def _read_keypoints(keypoints, count):
    places = np.asarray(ops.convert_to_numpy(keypoints), "float64")
    if places.ndim != 3 or places.shape[2] != 2:
        raise ValueError(
            "`keypoints` must have shape (k, m, 2), relative (x, y). "
            f"Received: keypoints of shape {places.shape}"
        )
    _check_count(places.shape, count, "keypoints")
    return places


def _check_count(shape, count, name):
    if shape[0] != count:
        raise ValueError(
            f"`{name}` must be those of the {count} panels of `bias`. "
            f"Received: {name} of shape {tuple(shape)}"
        )
