"""The base of models whose labels are maps of the size of their images."""

import warnings

import keras
import numpy as np

from keras_resample.datasets.base.label_tally import LabelTally, label_counts
from keras_resample.datasets.base.segmentation_dataset import SegmentationDataset
from keras_resample.layers.samplers.flow_warp_downsample import FlowWarpDownsample
from keras_resample.models.steps.labelled_model import IMAGES, LABELS, LabelledModel
from keras_resample.models.steps.segmentation_checks import (
    check_class_ids,
    check_label_map,
    number_of_classes,
)


class LabelMapModel(LabelledModel):
    """A `LabelledModel` of a `sampler` and a `network`, with an `ignore_class`.

    A subclass has `num_classes` once it is built.
    """

    weighs_classes = True

    def known_classes(self):
        """Number of classes of the network, `None` where its outputs are not known yet."""
        if self.built:
            return self.num_classes
        shape = getattr(self.network, "output_shape", None)
        return None if shape is None else number_of_classes(shape, self.sampler.data_format)

    def known_input_shape(self):
        """Images of any size, where the sampler brings them to one that the network says.

        `None` with a learned flow, which is one of input pixels for images of one size only.
        """
        shape = getattr(self.network, "input_shape", None)
        learns_flow = isinstance(self.sampler, FlowWarpDownsample) and self.sampler.shares_grid
        if shape is None or self.sampler.size is None or learns_flow:
            return None
        axis = 1 if self.sampler.data_format == "channels_first" else 3
        return tuple(channels if i == axis else None for i, channels in enumerate(shape))

    def check_labels(self, images, labels):
        """Raise unless the labels have the size of the images and classes of the network."""
        check_label_map(labels, images.shape, self.sampler.data_format)
        check_class_ids(labels, self.num_classes, self.ignore_class)

    def warn_of_labels(self, labels):
        """Warns, as `SegmentationDataset` does, where a class never comes while much is ignored."""
        if self.ignore_class not in range(-1, 256) or self.num_classes > 255:
            return  # what bytes do not hold is no void of masks
        sizes = np.broadcast_to(labels.shape[1:3], (len(labels), 2))
        tally = LabelTally(self.num_classes, self.ignore_class, sizes)
        for label in labels:
            if tally.over:
                return
            message = tally.add(label_counts(label.astype("uint8")))
            if message:
                warnings.warn(message, stacklevel=3)

    def warn_of_training(self, source, labels):
        """Warns where labels that came in batches had one class, and others counted nowhere.

        Datasets of this package and arrays are counted before.
        """
        counted_before = isinstance(source, SegmentationDataset) or isinstance(labels, np.ndarray)
        if self.ignore_class is None or counted_before or not self.built:
            return
        pixels = keras.ops.convert_to_numpy(self.sampled_mean_iou.total_cm).sum(axis=1)
        trained = np.flatnonzero(pixels)
        if len(trained) == 1:
            warnings.warn(
                f"The labels of the last epoch had the class {trained[0]} only. If the label "
                f"{self.ignore_class}, which counts nowhere, stands for a class in your masks, "
                "give it that class's number. "
                f"Received: num_classes={self.num_classes}, ignore_class={self.ignore_class}",
                stacklevel=3,
            )

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`, also of no images, which networks need not take."""
        if getattr(x, "shape", (None,))[0] == 0:
            self.build_for(x)
            return np.zeros(self.compute_output_shape(x.shape), "float32")
        return super().predict_on_batch(x)

    def _with_labels(self, data):
        batch = super()._with_labels(data)
        self.check_labels(batch[0][IMAGES], batch[0][LABELS])
        return batch

    def _unknown_class(self):
        """A class id that the network does not have and that is not ignored."""
        return self.num_classes + (self.ignore_class == self.num_classes)
