"""What region pooling keeps of each image, and why."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_number
from keras_resample.visualization.canvas import bare, new_figure, read_images, show_image

NAMES = ("boxes", "confidence")
BOX_COLOR = "#FF3B30"
PANEL = 1.7  # inches


def plot_regions(images, regions, alpha=0.6, data_format=None):
    """Draws the confidence and the box of each image, a column for each and a row for each stage.

    The colour is the confidence over the mean of its map.

    Args:
        images: `(n, h, w, channels)` or `(n, channels, h, w)`, floats in [0, 1] or integers in
            0..255.
        regions: what `RegionPooling` or `AdaptiveRegionPooling` returned with
            `return_regions=True` for these images: a dict of `"boxes"` `(n, 4)` and `"confidence"`
            `(n, gh, gw)`. Or a list of them, one for each stage of a network, in which every stage
            sees what the one before has kept: its box is drawn at its place in the image.
        alpha: opacity of the confidence over the image, in [0, 1].
        data_format: layout of `images`, `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.random.rand(2, 32, 32, 3).astype("float32")
    >>> pool = kr.layers.AdaptiveRegionPooling(0.5, k=0.7, data_format="channels_last")
    >>> features, regions = pool(images, return_regions=True)
    >>> figure = kr.visualization.plot_regions(images, regions, data_format="channels_last")
    >>> len(figure.axes)
    2
    """
    alpha = as_number(alpha, "alpha", "[0, 1]")
    images = read_images(images, data_format)
    count, height, width, _ = images.shape
    stages = [_read(stage, count) for stage in (regions if _is_list(regions) else [regions])]
    rows, aspect = len(stages), height / width
    figure = new_figure(PANEL * count, PANEL * min(max(aspect, 0.3), 3.0) * rows)
    panels = figure.subplots(rows, count, squeeze=False)
    seen = np.tile([0.0, 0.0, 1.0, 1.0], (count, 1))  # of the image, by the stage
    for line, (boxes, confidence) in zip(panels, stages, strict=True):
        kept = _within(seen, boxes)
        for i, ax in enumerate(line):
            show_image(ax, images[i].mean(-1, keepdims=True), extent=(0, width, height, 0))
            _draw_confidence(ax, confidence[i], seen[i] * ([width, height] * 2), alpha)
            _draw_box(ax, kept[i] * ([width, height] * 2))
            ax.set(xlim=(0, width), ylim=(height, 0))
            bare(ax)
        seen = kept
    return figure


def _is_list(regions):
    return isinstance(regions, (list, tuple)) and len(regions) > 0


def _read(stage, count):
    """Boxes (n, 4) and confidence (n, gh, gw) of one stage, in numpy."""
    if not isinstance(stage, dict) or not set(NAMES) <= set(stage):
        raise ValueError(
            '`regions` must be the dict that a layer returns with `return_regions=True`, of "boxes"'
            f' and "confidence", or a list of such. Received: regions={type(stage).__name__}'
        )
    boxes, confidence = (np.asarray(ops.convert_to_numpy(stage[n]), "float64") for n in NAMES)
    if boxes.shape != (count, 4) or confidence.ndim != 3 or len(confidence) != count:
        raise ValueError(
            f"`regions` must be those of the {count} images. Received: boxes of shape "
            f"{boxes.shape}, confidence of shape {confidence.shape}"
        )
    return boxes, confidence


def _within(outer, boxes):
    """Boxes relative to `outer` as boxes of the image."""
    low, extent = outer[:, :2], outer[:, 2:] - outer[:, :2]
    return np.concatenate([low + boxes[:, :2] * extent, low + boxes[:, 2:] * extent], axis=1)


def _draw_confidence(ax, confidence, place, alpha):
    x_min, y_min, x_max, y_max = place
    if not np.isfinite(place).all() or not np.isfinite(confidence).all():
        return
    ax.imshow(
        confidence / confidence.mean(),
        cmap="viridis",
        vmin=0.5,
        vmax=1.5,
        extent=(x_min, x_max, y_max, y_min),
        alpha=alpha,
        interpolation="nearest",
    )


def _draw_box(ax, box):
    x_min, y_min, x_max, y_max = box
    corners = [(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max), (x_min, y_min)]
    ax.plot(*np.transpose(corners), color=BOX_COLOR, linewidth=1.8, clip_on=False)
