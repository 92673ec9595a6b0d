"""Pooling by a crop: the region of a feature map that has most to say, as it is."""

import keras
from keras import ops

from keras_resample.layers.regions.region_layer import RegionLayer


@keras.saving.register_keras_serializable(package="keras_resample")
class RegionPooling(RegionLayer):
    """Cuts the most confident region out of each map: it averages nothing, as
    `keras.layers.AdaptiveAveragePooling2D` does, which pools the whole of every map.

    In place of a stride it gives maps of the same size, but of one part in full detail. The
    confidence of a place is `sigmoid` of its standardized channels' mean, and the region the window
    of `rate * h` by `rate * w` pixels where its weighted mean is largest (Eqs. 1-4). No
    weights; the gradient flows through the values alone.

    Args:
        rate: side of the output over side of the map, in (0, 1].
        kernel: how a window is weighted: `"gaussian"`, a sixth of its length wide, or `"box"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: feature maps `(batch, h, w, channels)` or `(batch, channels, h, w)`. A NaN gives NaN for
            all of its own map.
        return_regions: whether to return `(outputs, regions)`, a dict of `"boxes"` `(batch, 4)`,
            relative `(x_min, y_min, x_max, y_max)`, `"rates"` `(batch, 2)`, share of the height and
            of the width, and `"confidence"` `(batch, h, w)`, in (0, 1); all float32.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, `h' = floor(rate * h + 0.5)`, at
        least 1; of the layer's compute dtype. Known where that of the map is.

    Raises:
        ValueError: for a rate outside (0, 1], an unknown kernel, or maps that are not 4D or have
            an empty side.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> maps = np.random.rand(2, 28, 28, 16).astype("float32")
    >>> pool = kr.layers.RegionPooling(0.5, data_format="channels_last")
    >>> outputs, regions = pool(maps, return_regions=True)
    >>> outputs.shape == (2, 14, 14, 16) and regions["boxes"].shape == (2, 4)
    True

    Reference:
        "Adaptive Region Pooling for Fine-Grained Representation Learning", submitted to ICLR 2022.
    """

    def __init__(self, rate, kernel="gaussian", data_format=None, **kwargs):
        super().__init__(rate, kernel, data_format, **kwargs)

    def region_rates(self, confidence):
        return ops.full((1, 2), self.rate, dtype="float32")
