"""Gain of a model over a baseline, relative to that of a reference."""

import numpy as np

from keras_resample.metrics.arrays import to_numpy


def resolution_gain(metric, metric_high, metric_reference):
    """Relative gain of a multi-resolution model over one trained on high resolution only.

    `gain = (M - M_hr) / |M_ref - M_hr|` (Eq. 4 and 5 of the paper), where the reference is a model
    trained on several resolutions (cross-resolution gain) or on the tested one (same-resolution
    gain). 1 is as good as the reference where that is the better one, 0 as good as the baseline.

    Args:
        metric: A number M, or an array of them, higher is better.
        metric_high: M of the model trained on high resolution.
        metric_reference: M of the reference.

    Returns:
        float64 array of the broadcast shape; NaN where reference and baseline are equal, so that no
        gain is defined.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.resolution_gain([90.0, 70.0], 60.0, 80.0).tolist()
    [1.5, 0.5]

    Reference:
        - Branch-to-Trunk Network, "Learning Unified Representations for Multi-Resolution Face
          Recognition", Section 4.2
    """
    metric, high, reference = (
        to_numpy(x).astype("float64") for x in (metric, metric_high, metric_reference)
    )
    difference = np.abs(reference - high)
    return (metric - high) / np.where(difference > 0, difference, np.nan)
