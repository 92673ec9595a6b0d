"""Pictures of grids, Jacobians, warped images and ROC curves."""

from keras_resample.visualization.plot_grid import plot_grid
from keras_resample.visualization.plot_jacobian import plot_jacobian
from keras_resample.visualization.plot_roc import plot_roc
from keras_resample.visualization.plot_warped import plot_warped
