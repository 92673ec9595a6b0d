"""Pooling by a crop whose size the feature map decides, and a resize."""

import keras

from keras_resample.arguments import as_number
from keras_resample.layers.regions.region_layer import RegionLayer
from keras_resample.ops.confidence import adaptive_rates


@keras.saving.register_keras_serializable(package="keras_resample")
class AdaptiveRegionPooling(RegionLayer):
    """Cuts as much as matters out of each map and resizes it: it samples one region, where
    `keras.layers.AdaptiveAveragePooling2D` averages the whole of every map.

    The region keeps `min(max(k * 2 sqrt(3) / h * std, rate), 1)` of the height, and of the width
    alike: std is how wide the confidence is spread, which for a flat map is about all of it at
    `k = 1` (Eqs. 5-9). It is where `RegionPooling` would put a window of that size, and is read
    bilinearly at `rate` of the map's size. With a small k that is `RegionPooling`, with a large k a
    resize of the whole map. No weights; the gradient flows through the values alone.

    Args:
        rate: side of the output over side of the map, in (0, 1].
        k: how much of a map to keep, 0 or more: the paper's networks have 1, 0.9, 0.7 and 0.5.
        kernel: how a window is weighted: `"gaussian"`, a sixth of its length wide, or `"box"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: feature maps `(batch, h, w, channels)` or `(batch, channels, h, w)`. A NaN gives NaN for
            all of its own map.
        return_regions: whether to return `(outputs, regions)`, a dict of `"boxes"` `(batch, 4)`,
            relative `(x_min, y_min, x_max, y_max)`, `"rates"` `(batch, 2)`, share of the height and
            of the width before they are rounded to pixels, and `"confidence"` `(batch, h, w)`, in
            (0, 1); all float32.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, `h' = floor(rate * h + 0.5)`, at
        least 1; of the layer's compute dtype. Known where that of the map is.

    Raises:
        ValueError: for a rate outside (0, 1], a negative k, an unknown kernel, or maps that are not
            4D or have an empty side.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> maps = np.random.rand(2, 28, 28, 16).astype("float32")
    >>> pool = kr.layers.AdaptiveRegionPooling(0.5, k=0.7, data_format="channels_last")
    >>> outputs, regions = pool(maps, return_regions=True)
    >>> outputs.shape == (2, 14, 14, 16) and regions["rates"].shape == (2, 2)
    True

    Reference:
        "Adaptive Region Pooling for Fine-Grained Representation Learning", submitted to ICLR 2022.
    """

    def __init__(self, rate, k=1.0, kernel="gaussian", data_format=None, **kwargs):
        super().__init__(rate, kernel, data_format, **kwargs)
        self.k = as_number(k, "k", "[0, inf)")

    def region_rates(self, confidence):
        return adaptive_rates(confidence, k=self.k, rate=self.rate)

    def get_config(self):
        return {**super().get_config(), "k": self.k}
