"""How each method sees an image, what it predicts, and where it errs."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_data_format
from keras_resample.visualization.canvas import bare, new_figure, read_grid, read_image, show_image
from keras_resample.visualization.segmentation_canvas import (
    IGNORED_COLOR,
    RIGHT_COLOR,
    WRONG_COLOR,
    add_legend,
    class_look,
    draw_points,
    paint_classes,
    read_label,
    thinned,
)

PANEL = 2.3
TITLES = ("sampling points", "sampled image", "prediction, sampled", "prediction, restored")
STEPS = ("grid", "sampled_images", "sampled_probabilities", "probabilities")


def plot_segmentation(
    methods,
    image,
    label=None,
    class_names=None,
    class_colors=None,
    ignore_class=None,
    dataset=None,
    points=True,
    data_format=None,
):
    """Draws one image through several methods, a row each.

    The columns are the image with its sampling points, the sampled (deformed) image, the
    prediction in the sampled space, the prediction restored to every pixel, and, with a label,
    the pixels that are wrong. The first row then shows the label.

    Args:
        methods: dict from names to a `Segmenter`, or to what its `inspect` returned for this one
            image: a dict with `"grid"`, `"sampled_images"`, `"sampled_probabilities"`
            `(1, h', w', classes)` and `"probabilities"`. Integers `(1, h, w)` in their places
            are the predicted classes themselves.
        image: `(h, w, channels)` or `(channels, h, w)`, integers in 0..255 or floats in [0, 1].
            A `Segmenter` sees it as it is given.
        label: integers `(h, w)`, or `None`.
        class_names: names for the legend.
        class_colors: colours (red, green, blue) in 0..255, one a class. Default: those of
            PASCAL VOC.
        ignore_class: label of pixels that do not count as errors.
        dataset: a `SegmentationDataset`: its `class_names`, `class_colors` and `ignore_class`
            stand for those that are not given.
        points: whether to draw the sampling points.
        data_format: layout of `image` and of what `inspect` returned, `"channels_last"`,
            `"channels_first"` or `None` for that of the first segmenter; without one for
            `keras.config.image_data_format()`.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> scores = np.random.rand(1, 48, 64, 3)
    >>> steps = {"grid": kr.ops.uniform_grid((12, 16)), "probabilities": scores,
    ...          "sampled_images": np.random.rand(1, 12, 16, 3),
    ...          "sampled_probabilities": scores[:, ::4, ::4]}
    >>> figure = kr.visualization.plot_segmentation(
    ...     {"uniform": steps}, np.random.rand(48, 64, 3), label=scores[0].argmax(-1),
    ...     class_names=["sky", "road", "car"], data_format="channels_last")
    >>> [ax.get_title() for ax in figure.axes if ax.get_title()][-1]
    'wrong'
    """
    if not isinstance(methods, dict) or not methods:
        raise ValueError(
            "`methods` must be a dict from name to a Segmenter or what its `inspect` returned. "
            f"Received: methods={methods!r}"
        )
    if data_format is None:
        samplers = (getattr(method, "sampler", None) for method in methods.values())
        data_format = next((sampler.data_format for sampler in samplers if sampler), None)
    data_format, points = as_data_format(data_format), as_bool(points, "points")
    shown = read_image(image, data_format)
    size = shown.shape[:2]
    rows = {name: _steps(name, method, image, data_format) for name, method in methods.items()}
    for name, row in rows.items():
        if row["probabilities"].shape != size:
            raise ValueError(
                f"`methods` must restore to the size of the image, {size}. "
                f"Received: {row['probabilities'].shape} of {name!r}"
            )
    num_classes = max(row["num_classes"] for row in rows.values())
    for given in (class_names, class_colors):
        num_classes = num_classes if given is None else max(num_classes, len(given))
    if dataset is not None:
        num_classes = max(num_classes, dataset.num_classes)
        class_names = dataset.class_names if class_names is None else class_names
        class_colors = dataset.class_colors if class_colors is None else class_colors
        ignore_class = dataset.ignore_class if ignore_class is None else ignore_class
    names, colors = class_look(num_classes, class_names, class_colors)
    if label is not None:
        label = read_label(label, size)

    columns = 4 if label is None else 5
    lines = len(rows) if label is None else len(rows) + 1
    height = PANEL * size[0] / size[1]
    figure = new_figure(columns * PANEL + 0.5, lines * (height + 0.12) + 0.75)
    axes = figure.subplots(lines, columns, squeeze=False)
    extent = (0, size[1], size[0], 0)
    if label is not None:
        _first_row(axes[0], shown, label, colors, extent)
    for ax, (name, row) in zip(axes[lines - len(rows) :], rows.items(), strict=True):
        _draw_row(ax, row, shown, label, ignore_class, colors, extent, points)
        sampled = row["grid"].shape[:2]
        ax[0].set_ylabel(f"{name}\n{sampled[0]} \N{MULTIPLICATION SIGN} {sampled[1]}", fontsize=9)
    for ax, title in zip(axes[lines - len(rows)], (*TITLES, "wrong"), strict=False):
        ax.set_title(title, fontsize=9)
    add_legend(figure, names, colors)
    return figure


def _steps(name, method, image, data_format):
    """The grid, sampled image and classes of one method for one image, without a batch."""
    if hasattr(method, "inspect"):
        batch = np.asarray(ops.convert_to_numpy(image))
        method = method.inspect(batch if batch.ndim == 4 else batch[None])
    if not isinstance(method, dict) or not set(STEPS) <= set(method):
        raise ValueError(
            f"`methods` must map each name to a Segmenter or a dict with {', '.join(STEPS)}. "
            f"Received: {sorted(method) if isinstance(method, dict) else method!r} for {name!r}"
        )
    steps = {"grid": read_grid(method["grid"], None)[0], "num_classes": 1}
    steps["sampled_images"] = read_image(method["sampled_images"], data_format, "sampled_images")
    for step in ("sampled_probabilities", "probabilities"):
        values = np.asarray(ops.convert_to_numpy(method[step]))
        classes = values.ndim == 3 and values.dtype.kind in "iu"
        if values.shape[:1] != (1,) or not (classes or values.ndim == 4) or values.size == 0:
            raise ValueError(
                f"`methods` must hold the {step!r} of one image, (1, h, w, classes), or integers "
                f"(1, h, w). Received: {values.dtype} of shape {values.shape} for {name!r}"
            )
        if classes:
            count, found = int(values.max()) + 1, values[0]
        else:
            first = step == "probabilities" and data_format == "channels_first"
            axis = 0 if first else -1
            count, found = values[0].shape[axis], values[0].argmax(axis)
        steps[step] = found
        steps["num_classes"] = max(steps["num_classes"], count)
    # Samples of images of 0..255 are floats of that range.
    if np.nanmax(steps["sampled_images"]) > 2.0:
        steps["sampled_images"] = steps["sampled_images"] / 255.0
    return steps


def _first_row(axes, image, label, colors, extent):
    """The image, the label where the restored predictions lie, and nothing else."""
    show_image(axes[0], thinned(image), extent=extent)
    show_image(axes[3], paint_classes(image, label, colors), extent=extent)
    axes[0].set_title("image", fontsize=9)
    axes[3].set_title("label", fontsize=9)
    for ax in axes:
        bare(ax)
    for index in (1, 2, 4):
        axes[index].set_visible(False)


def _draw_row(axes, row, image, label, ignore_class, colors, extent, points):
    size = image.shape[:2]
    show_image(axes[0], thinned(image), extent=extent)
    if points:
        draw_points(axes[0], row["grid"], size, side=PANEL)
    axes[0].set(xlim=extent[:2], ylim=extent[2:])
    sampled = row["sampled_images"]
    show_image(axes[1], sampled, extent=extent)
    found, restored = row["sampled_probabilities"], row["probabilities"]
    show_image(axes[2], paint_classes(np.zeros((*found.shape, 1)), found, colors), extent=extent)
    show_image(axes[3], paint_classes(image, restored, colors), extent=extent)
    if label is not None:
        _draw_errors(axes[4], restored, label, ignore_class, extent)
    for ax in axes:
        bare(ax)


def _draw_errors(ax, restored, label, ignore_class, extent):
    counted = np.ones(label.shape, bool) if ignore_class is None else label != ignore_class
    wrong = counted & (restored != label)
    picture = np.full((*label.shape, 3), RIGHT_COLOR, "uint8")
    picture[wrong] = WRONG_COLOR
    picture[~counted] = IGNORED_COLOR
    show_image(ax, thinned(picture) / np.float32(255), extent=extent)
    share = wrong.sum() / max(counted.sum(), 1)
    ax.set_xlabel(f"{100 * share:.1f} % of the pixels", fontsize=8, labelpad=2)
