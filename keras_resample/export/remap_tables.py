"""A sampler as the tables of OpenCV's `remap`, for cameras and loaders without Keras."""

import keras

from keras_resample.arguments import as_bool, as_size
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.metrics.arrays import to_numpy
from keras_resample.ops.grids import resize_grid


def remap_tables(layer, image_size=None, antialias=None):
    """Where a sampler reads each of its pixels, as `cv2.remap` takes it.

    So what loads an image, or the camera itself, sends the small one:

        x, y = kr.export.remap_tables(layer)
        small = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    With antialiasing each pixel is the mean of a block of `ceil(height / rows)` by
    `ceil(width / columns)` samples, and the tables are those of all samples:

        small = cv2.resize(cv2.remap(...), (columns, rows), interpolation=cv2.INTER_AREA)

    Borders and interpolation are the layer's `fill_mode` and `interpolation`: "nearest" is
    `BORDER_REPLICATE`, "reflect" `BORDER_REFLECT`, "mirror" `BORDER_REFLECT_101`, "constant"
    `BORDER_CONSTANT` with the `fill_value`; interpolation "nearest" is `INTER_NEAREST`. OpenCV
    rounds places to 1/32 of a pixel, which next to a hard edge is up to 1/64 of its height.

    Args:
        layer: a sampler with one grid for all images: a learned `FlowWarpDownsample`, or a
            `CropDownsample`.
        image_size: `(height, width)` of the images; by default what the layer was built for.
        antialias: whether the tables are those of all samples; by default as the layer does.

    Returns:
        `(x, y)`: two numpy arrays (rows, columns), float32, in pixels of the image, of which the
        first has its centre at 0.

    Raises:
        ValueError: for a layer that has another grid for each image, one that is not built and no
            `image_size`, or a wrong argument.

    Example:

    >>> import keras_resample as kr
    >>> crop = kr.layers.CropDownsample(size=(4, 4), margin=0.25, data_format="channels_last")
    >>> x, y = kr.export.remap_tables(crop, image_size=(16, 16))
    >>> x[0].tolist()
    [4.5, 6.5, 8.5, 10.5]
    """
    if not isinstance(layer, GridSampler) or not layer.shares_grid:
        raise ValueError(
            "`layer` must be a sampler with one grid for all images, such as a learned "
            f"FlowWarpDownsample. Received: layer={layer!r}"
        )
    if antialias is None:
        antialias = layer.antialias
    antialias = as_bool(antialias, "antialias")
    height, width = _image_size(layer, image_size)
    first = layer.data_format == "channels_first"
    images = keras.ops.zeros((1, 1, height, width) if first else (1, height, width, 1))
    grid = layer.grid(images)
    if antialias:
        rows, columns = grid.shape[1:3]
        grid = resize_grid(grid, (rows * -(-height // rows), columns * -(-width // columns)))
    grid = to_numpy(keras.ops.stop_gradient(grid))[0]
    return tuple((grid * (width, height) - 0.5).astype("float32").transpose(2, 0, 1))


def _image_size(layer, image_size):
    if image_size is not None:
        return as_size(image_size, "image_size")
    shape = (layer.get_build_config() or {}).get("input_shape") if layer.built else None
    size = (None,) if shape is None else layer.image_size(shape)
    if None in size:
        raise ValueError(
            "`image_size` is needed of a layer that was not built for images of a known size. "
            f"Received: image_size=None, layer={layer!r}"
        )
    return size
