"""What every picture shares: figures, colours, and reading grids and images."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_data_format
from keras_resample.layers.samplers.flow_warp_downsample import FlowWarpDownsample
from keras_resample.layers.samplers.grid_sampler import GridSampler

# Okabe and Ito (2008): told apart with every kind of colour vision. Black is kept for axes.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
FOLD_COLOR = "#D4006A"
DOTS_PER_INCH = 150


def new_axes(ax, width=4.2, height=4.0):
    """`(figure, axes)`: of `ax` if that is given, else of a new figure of that size in inches."""
    if ax is not None:
        if not hasattr(ax, "add_collection"):
            raise ValueError(f"`ax` must be Matplotlib axes or None. Received: ax={ax!r}")
        return ax.figure, ax
    figure = new_figure(width, height)
    return figure, figure.subplots()


def new_figure(width, height):
    """An empty figure of that size in inches."""
    try:
        from keras_resample.visualization.notebook_figure import NotebookFigure
    except ImportError as error:
        raise ImportError(
            'Pictures need Matplotlib. Install it with: pip install "keras-resample[visualization]"'
        ) from error
    return NotebookFigure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def read_grid(grid_or_layer, image):
    """The grid to draw and the size of what it samples.

    Args:
        grid_or_layer: a `GridSampler` or a grid `(h', w', 2)` or `(1, h', w', 2)`.
        image: channels-last array `(h, w, c)` or `None`.

    Returns:
        `(grid, size)`: numpy `(h', w', 2)`, relative; and `(h, w)` in pixels or `None`.
    """
    size = None if image is None else image.shape[:2]
    if isinstance(grid_or_layer, GridSampler):
        images, size = _layer_input(grid_or_layer, image)
        grid = ops.convert_to_numpy(grid_or_layer.grid(images))
    elif isinstance(grid_or_layer, keras.layers.Layer):
        raise ValueError(
            "`grid_or_layer` must be a grid or one layer that samples, such as "
            f"FlowWarpDownsample. Received: grid_or_layer={grid_or_layer!r}"
        )
    else:
        grid = np.asarray(ops.convert_to_numpy(grid_or_layer), "float32")
    if grid.ndim == 4 and grid.shape[0] == 1:
        grid = grid[0]
    if grid.ndim != 3 or grid.shape[-1] != 2 or 0 in grid.shape:
        raise ValueError(
            "`grid_or_layer` must be a layer or one grid, (h', w', 2) or (1, h', w', 2). "
            f"Received: a grid of shape {grid.shape}"
        )
    return grid.astype("float32"), size


def _layer_input(layer, image):
    """What to call `layer.grid` on, and its size in pixels where that is known."""
    first = layer.data_format == "channels_first"
    if image is not None:
        images = np.transpose(image, (2, 0, 1))[None] if first else image[None]
        return ops.convert_to_tensor(images, dtype="float32"), image.shape[:2]
    shape = (layer.get_build_config() or {}).get("input_shape") if layer.built else None
    size = None if shape is None else tuple(shape[2:4] if first else shape[1:3])
    known = size is not None and None not in shape[1:]
    if layer.built and isinstance(layer, FlowWarpDownsample) and layer.flow_layer is None:
        return None, size if known else None
    if not known or not _is_fixed(layer, shape[1:]):
        raise ValueError(
            "`image` is needed where the grid of the layer depends on the image, or the layer is "
            f"not built for a known size. Received: image=None, grid_or_layer={layer!r}"
        )
    return ops.zeros((1, *shape[1:])), size


def _is_fixed(layer, shape):
    """Whether the grid is the same for unlike images."""
    images = (np.zeros((1, *shape)), np.random.default_rng(0).uniform(size=(1, *shape)))
    grids = [layer.grid(ops.convert_to_tensor(image, dtype="float32")) for image in images]
    return np.array_equal(*[ops.convert_to_numpy(grid) for grid in grids])


def read_image(image, data_format, name="image"):
    """One image as a float array (h, w, 1 or 3) in [0, 1]; integers are taken as 0..255."""
    array = np.asarray(ops.convert_to_numpy(image))
    if array.ndim == 2:
        return read_images(array[None, ..., None], "channels_last", name)[0]
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise ValueError(
            f"`{name}` must be one image, (h, w), (h, w, channels) or (channels, h, w). "
            f"Received: {name} of shape {array.shape}"
        )
    return read_images(array[None], data_format, name)[0]


def read_images(images, data_format, name="images"):
    """Images as a float array (n, h, w, 1 or 3) in [0, 1]; integers are taken as 0..255."""
    images = np.asarray(ops.convert_to_numpy(images))
    if images.ndim == 4 and as_data_format(data_format) == "channels_first":
        images = np.transpose(images, (0, 2, 3, 1))
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape:
        raise ValueError(
            f"`{name}` must have 1, 3 or 4 channels and no empty side. "
            f"Received: {name} of shape {images.shape} (channels last)"
        )
    if np.issubdtype(images.dtype, np.integer):
        return images.astype("float32") / 255.0
    return images.astype("float32")


def show_image(ax, image, extent=None):
    """Draws an image (h, w, c) in [0, 1] (what is outside is clipped) without interpolation."""
    image = np.clip(np.nan_to_num(image), 0.0, 1.0)
    gray = image.shape[-1] == 1
    ax.imshow(
        image[..., 0] if gray else image,
        cmap="gray" if gray else None,
        vmin=0.0,
        vmax=1.0,
        extent=extent,
        interpolation="nearest",
    )


def bare(ax):
    """Removes ticks and frame."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
