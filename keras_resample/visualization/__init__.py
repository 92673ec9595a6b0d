"""Pictures of grids, Jacobians, warped images, attention, segmentations, ROC and cost curves."""

from keras_resample.visualization.plot_attention_bias import plot_attention_bias
from keras_resample.visualization.plot_class_frequency_change import plot_class_frequency_change
from keras_resample.visualization.plot_cost_curve import plot_cost_curve
from keras_resample.visualization.plot_grid import plot_grid
from keras_resample.visualization.plot_jacobian import plot_jacobian
from keras_resample.visualization.plot_regions import plot_regions
from keras_resample.visualization.plot_roc import plot_roc
from keras_resample.visualization.plot_saliency import plot_saliency
from keras_resample.visualization.plot_sampling_points import plot_sampling_points
from keras_resample.visualization.plot_segmentation import plot_segmentation
from keras_resample.visualization.plot_warped import plot_warped

__all__ = [
    "plot_attention_bias",
    "plot_class_frequency_change",
    "plot_cost_curve",
    "plot_grid",
    "plot_jacobian",
    "plot_regions",
    "plot_roc",
    "plot_saliency",
    "plot_sampling_points",
    "plot_segmentation",
    "plot_warped",
]


def __dir__():
    return __all__
