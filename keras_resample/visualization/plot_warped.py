"""What a network sees."""

import numpy as np
from keras import ops

from keras_resample.arguments import as_integer
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.visualization.canvas import bare, new_figure, read_images, show_image


def plot_warped(layer, images, max_images=8, axes=None):
    """Draws images above what a sampler makes of them.

    Args:
        layer: a `GridSampler`.
        images: `(n, h, w, channels)` or `(n, channels, h, w)`, in the layer's data format; floats
            in [0, 1] or integers in 0..255.
        max_images: draws the first so many.
        axes: Matplotlib axes to draw in, an array `(2, n)` or more; `None` makes a new figure.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if an argument has another shape or range.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> layer = kr.layers.UniformDownsample(0.25, data_format="channels_last")
    >>> figure = kr.visualization.plot_warped(layer, np.random.rand(3, 112, 112, 3))
    >>> len(figure.axes)
    6
    """
    if not isinstance(layer, GridSampler):
        raise ValueError(
            f"`layer` must sample images, as FlowWarpDownsample does. Received: layer={layer!r}"
        )
    shown = read_images(images, layer.data_format)[: as_integer(max_images, "max_images")]
    inputs = shown
    if layer.data_format == "channels_first":
        inputs = np.transpose(shown, (0, 3, 1, 2))
    outputs = ops.convert_to_numpy(ops.cast(layer(ops.convert_to_tensor(inputs)), "float32"))
    outputs = read_images(outputs, layer.data_format)
    count, height, width, _ = shown.shape
    if axes is None:
        side = min(1.6, 9.0 / count)
        figure = new_figure(count * side + 0.4, 2 * side * height / width + 0.2)
        axes = figure.subplots(2, count, squeeze=False)
    else:
        axes = np.asarray(axes, dtype=object)
        if axes.ndim != 2 or axes.shape[0] < 2 or axes.shape[1] < count:
            raise ValueError(
                f"`axes` must be an array of axes of shape (2, {count}) or more. "
                f"Received: axes of shape {axes.shape}"
            )
        figure = axes[0, 0].figure
    # The same place on the page for the same place in the scene, whatever the resolution.
    extent = (0, width, height, 0)
    for row, pictures in enumerate((shown, outputs)):
        for column, picture in enumerate(pictures):
            show_image(axes[row, column], picture, extent=extent)
            bare(axes[row, column])
        rows, columns = pictures.shape[1:3]
        axes[row, 0].set_ylabel(f"{rows} \N{MULTIPLICATION SIGN} {columns}", fontsize=9)
    return figure
