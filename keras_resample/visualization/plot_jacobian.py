"""How densely a sampler looks."""

import numpy as np
from keras import ops

from keras_resample.ops.jacobian import corner_jacobians, jacobian_determinant
from keras_resample.visualization.canvas import (
    FOLD_COLOR,
    bare,
    new_axes,
    read_grid,
    read_image,
)

# The colours span at least [1/1.25, 1.25], lest rounding noise looks like structure, at most
# [1/10, 10], and otherwise what all but a few cells have: near a fold J passes through 0.
NARROWEST, WIDEST, SHARE = 1.25, 10.0, 0.99

# Numbers whose reciprocals are short.
TICKS = (1.1, 1.25, 1.5, 2.0, 2.5, 5.0, 10.0)


def plot_jacobian(grid_or_layer, image=None, ax=None, data_format=None):
    """Heat map of the area that each output pixel stands for, relative to a plain resize.

    Colours are logarithmic and centred at J = 1 (`keras_resample.ops.jacobian_determinant`): purple
    is sampled more densely than by a resize, orange more sparsely. Cells that fold (a corner
    determinant of them is not positive) are pink with a cross.

    Args:
        grid_or_layer: a `GridSampler` (built, or given an `image`), or a grid `(h', w', 2)` or
            `(1, h', w', 2)`, relative (x, y).
        image: image that the grid of the layer depends on, `(h, w)`, `(h, w, channels)` or
            `(channels, h, w)`. It is not drawn.
        ax: Matplotlib axes to draw in; `None` makes a new figure.
        data_format: layout of `image`, `"channels_last"`, `"channels_first"` or `None` for the
            layer's or `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_jacobian(kr.ops.uniform_grid((14, 14)))
    >>> figure.axes[0].get_title()
    'J from 1.00 to 1.00, mean 1.00, no folds'
    """
    data_format = data_format or getattr(grid_or_layer, "data_format", None)
    if image is not None:
        image = read_image(image, data_format)
    grid, size = read_grid(grid_or_layer, image)
    rows, columns = grid.shape[:2]
    height, width = size or (rows, columns)
    aspect = height / width
    figure, ax = new_axes(ax, width=5.0, height=max(1.8, min(7.0, 3.65 * aspect + 0.3)))
    jacobian = ops.convert_to_numpy(jacobian_determinant(grid[None]))[0]
    folded = _folded(grid, jacobian)
    picture = ax.imshow(
        np.where(folded | ~(jacobian > 0), np.nan, jacobian),
        norm=_norm(jacobian[jacobian > 0]),
        cmap="PuOr_r",
        aspect=aspect * columns / rows,
        interpolation="nearest",
    )
    _mark(ax, folded)
    _color_bar(figure, ax, picture, jacobian)
    bare(ax)
    ax.set_title(_summary(jacobian, folded), fontsize=9)
    return figure


def _folded(grid, jacobian):
    """Which cells of the grid fold; cell (i, j) has sample (i, j) as its top left corner."""
    folded = ~(jacobian > 0)
    if min(grid.shape[:2]) > 1:
        corners = ops.convert_to_numpy(corner_jacobians(grid[None]))[0]
        folded[:-1, :-1] |= np.any(~(corners > 0), axis=-1)
        # The last differences repeat those of the last cells: no cell of their own.
        folded[-1, :], folded[:, -1] = False, False
    return folded


def _norm(positive):
    from matplotlib.colors import LogNorm

    distance = np.abs(np.log(positive[np.isfinite(positive)]))
    typical = np.exp(np.quantile(distance, SHARE)) if distance.size else 1.0
    bound = float(np.clip(typical, NARROWEST, WIDEST))
    return LogNorm(1.0 / bound, bound)


def _mark(ax, folded):
    from matplotlib.patches import Rectangle

    # Crosses need room; small cells are marked by colour alone.
    rows, columns = folded.shape
    for i, j in np.argwhere(folded):
        ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=FOLD_COLOR, linewidth=0))
    if folded.any() and max(rows, columns) <= 40:
        y, x = np.nonzero(folded)
        size = (140.0 / max(rows, columns)) ** 2 * 0.6
        ax.scatter(x, y, marker="x", s=size, color="white", linewidths=1.0)


def _color_bar(figure, ax, picture, jacobian):
    bound = picture.norm.vmax
    inner = [tick for tick in TICKS if tick <= bound * 1.0001]
    # Three on each side are enough; those near 1 would touch it.
    inner = [tick for tick in inner if tick >= bound**0.25][-3:]
    ticks = [1.0 / tick for tick in reversed(inner)] + [1.0] + inner
    over, under = np.nanmax(jacobian) > bound, np.nanmin(jacobian) < 1.0 / bound
    extend = {(0, 0): "neither", (1, 0): "max", (0, 1): "min", (1, 1): "both"}[(over, under)]
    bar = figure.colorbar(picture, ax=ax, extend=extend)
    bar.set_ticks(ticks, labels=[f"{tick:.2f}".rstrip("0").rstrip(".") for tick in ticks])
    bar.minorticks_off()
    bar.set_label("J, area per sample\n(1: as a resize, smaller: denser)", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _summary(jacobian, folded):
    count = int(folded.sum())
    cells = max(folded.shape[0] - 1, 1) * max(folded.shape[1] - 1, 1)
    folds = f"{count} of {cells} cells folded" if count else "no folds"
    low, high, mean = (f"{f(jacobian):.2f}" for f in (np.min, np.max, np.mean))
    return f"J from {low} to {high}, mean {mean}, {folds}"
