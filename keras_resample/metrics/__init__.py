"""Numbers the field reports, computed with numpy."""

from keras_resample.metrics.identification.identification import (
    cmc,
    tpir_at_fpir,
    tpir_auc,
    tpir_curve,
)
from keras_resample.metrics.identification.ijb import ijb_identification, ijb_verification
from keras_resample.metrics.identification.rerank import rerank
from keras_resample.metrics.identification.retrieval import (
    mean_average_precision,
    mean_inverse_penalty,
)
from keras_resample.metrics.identification.templates import aggregate_templates
from keras_resample.metrics.interpolation_error import interpolation_error
from keras_resample.metrics.segmentation.class_frequency import class_frequency_change
from keras_resample.metrics.segmentation.confusion import class_ious, confusion_matrix, mean_iou
from keras_resample.metrics.segmentation.segmentation_scores import SegmentationScores
from keras_resample.metrics.segmentation.trimap import trimap_accuracy
from keras_resample.metrics.segmentation.upsampling import upsampling_iou
from keras_resample.metrics.verification.all_pairs import all_pairs, all_pairs_histogram
from keras_resample.metrics.verification.flip import flip_augmented
from keras_resample.metrics.verification.gain import resolution_gain
from keras_resample.metrics.verification.lfw import lfw_accuracy, lfw_folds, val_at_far
from keras_resample.metrics.verification.operating_points import tar_at_far, threshold_at_far
from keras_resample.metrics.verification.pair_scores import pair_scores
from keras_resample.metrics.verification.roc import auc, det, eer, roc
from keras_resample.metrics.verification.score_blocks import ScoreBlocks

__all__ = [
    "ScoreBlocks",
    "SegmentationScores",
    "aggregate_templates",
    "all_pairs",
    "all_pairs_histogram",
    "auc",
    "class_frequency_change",
    "class_ious",
    "cmc",
    "confusion_matrix",
    "det",
    "eer",
    "flip_augmented",
    "ijb_identification",
    "ijb_verification",
    "interpolation_error",
    "lfw_accuracy",
    "lfw_folds",
    "mean_average_precision",
    "mean_inverse_penalty",
    "mean_iou",
    "pair_scores",
    "rerank",
    "resolution_gain",
    "roc",
    "tar_at_far",
    "threshold_at_far",
    "tpir_at_fpir",
    "tpir_auc",
    "tpir_curve",
    "trimap_accuracy",
    "upsampling_iou",
    "val_at_far",
]


def __dir__():
    return __all__
