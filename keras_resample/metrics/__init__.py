"""Numbers the field reports, computed with numpy."""

from keras_resample.metrics.all_pairs import all_pairs
from keras_resample.metrics.lfw import lfw_accuracy, lfw_folds
from keras_resample.metrics.verification import eer, roc, tar_at_far
