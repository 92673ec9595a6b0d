"""What pictures of segmentation share: raw images, points, and colours of classes."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_integer_array
from keras_resample.datasets.base.classes import class_table
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.visualization.canvas import read_grid, read_image

# As many pixels along an axis as a panel can show.
MAX_SIDE = 640
# As many points along an axis as can be told apart.
MAX_POINTS = 64
IGNORED_COLOR = (96, 96, 96)
WRONG_COLOR, RIGHT_COLOR = (214, 0, 106), (225, 225, 225)


def layer_images(layer, image):
    """The image as a batch of one, values untouched, in the layer's data format."""
    array = np.asarray(ops.convert_to_numpy(image))
    if array.ndim == 2:
        array = array[None] if layer.data_format == "channels_first" else array[..., None]
    return ops.convert_to_tensor(array if array.ndim == 4 else array[None])


def points_of(grid_or_layer, image, data_format):
    """The grid to draw, the image as `read_image` gives it, and the size of what is sampled.

    A layer sees the image as it is given: integers are not rescaled.
    """
    data_format = data_format or getattr(grid_or_layer, "data_format", None)
    shown = None if image is None else read_image(image, data_format)
    if image is not None and isinstance(grid_or_layer, GridSampler):
        grid_or_layer = grid_or_layer.grid(layer_images(grid_or_layer, image))
    grid, size = read_grid(grid_or_layer, shown)
    return grid, shown, size


def draw_points(ax, grid, size, step=None, color="#FF3B30", side=3.6):
    """Draws sampling points, relative (h', w', 2), on axes in pixels.

    Args:
        ax: axes whose extent is `size`.
        grid: relative (x, y).
        size: `(height, width)` in pixels.
        step: draws every `step`-th row and column; `None` keeps at most 64 along each axis.
        color: Matplotlib colour.
        side: longer side of the axes in inches.
    """
    if step is None:
        step = max(1, -(-max(grid.shape[:2]) // MAX_POINTS))
    # From the middle of each step, so that what is left lies as evenly as the whole.
    places = grid[step // 2 :: step, step // 2 :: step].reshape(-1, 2) * (size[1], size[0])
    between = side * 72 / np.sqrt(len(places))
    area = np.clip((0.28 * between) ** 2, 0.6, 12.0)
    ax.scatter(*places.T, s=area, color=color, linewidths=0)


def thinned(array):
    """Every k-th row and column of an array, so that at most 640 are left."""
    step = -(-max(array.shape[:2]) // MAX_SIDE)
    return array[step // 2 :: step, step // 2 :: step]


def read_label(label, size):
    """Integers (h, w) of one label map, of the size of the image."""
    label = np.asarray(ops.convert_to_numpy(label))
    if label.ndim == 3 and label.shape[0] == 1:
        label = label[0]
    kind = f"one label map, integers {size}, as the image"
    return as_integer_array(label, "label", kind, size)


def paint_classes(image, labels, colors):
    """Float (h, w, 3) in [0, 1]: the colours of the classes over a grey image.

    Labels that are no class, ignored ones, are grey.
    """
    image, labels = thinned(image), thinned(labels).astype("int32")
    grey = np.clip(np.nan_to_num(image), 0, 1).mean(-1, keepdims=True) * np.ones(3)
    known = (labels >= 0) & (labels < len(colors))
    # Keras's colours begin at the first class; one more is for what is no class.
    table = dict(enumerate([*colors.tolist(), IGNORED_COLOR]))
    painted = keras.visualization.draw_segmentation_masks(
        255.0 * grey[None],
        np.where(known, labels, len(colors))[None, ..., None],
        num_classes=len(table),
        color_mapping=table,
        alpha=1.0,
        data_format="channels_last",
    )
    return np.asarray(painted[0], "float32") / 255.0


def add_legend(figure, names, colors):
    """A legend of the classes below all panels."""
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=np.asarray(color) / 255.0, edgecolor="0.5", linewidth=0.4, label=name)
        for name, color in zip(names, colors, strict=True)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 8),
        fontsize=8,
        frameon=False,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.2,
    )


def class_look(num_classes, class_names, class_colors):
    """Names and colours, uint8 (num_classes, 3), for the legend."""
    names, colors = class_table(num_classes, class_names, class_colors)
    return names or [f"class {number}" for number in range(num_classes)], colors
