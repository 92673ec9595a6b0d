"""Numbers the field reports, computed with numpy."""

from keras_resample.metrics.all_pairs import all_pairs, all_pairs_histogram
from keras_resample.metrics.class_frequency import class_frequency_change
from keras_resample.metrics.confusion import class_ious, confusion_matrix, mean_iou
from keras_resample.metrics.flip import flip_augmented
from keras_resample.metrics.gain import resolution_gain
from keras_resample.metrics.identification import cmc, tpir_at_fpir, tpir_auc, tpir_curve
from keras_resample.metrics.ijb import ijb_identification, ijb_verification
from keras_resample.metrics.lfw import lfw_accuracy, lfw_folds, val_at_far
from keras_resample.metrics.operating_points import tar_at_far, threshold_at_far
from keras_resample.metrics.pair_scores import pair_scores
from keras_resample.metrics.retrieval import mean_average_precision, mean_inverse_penalty
from keras_resample.metrics.score_blocks import ScoreBlocks
from keras_resample.metrics.segmentation_scores import SegmentationScores
from keras_resample.metrics.templates import aggregate_templates
from keras_resample.metrics.trimap import trimap_accuracy
from keras_resample.metrics.upsampling import upsampling_iou
from keras_resample.metrics.verification import auc, det, eer, roc
