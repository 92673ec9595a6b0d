"""A segmenter that returns classes instead of their probabilities."""

import keras
from keras import ops

from keras_resample.models.steps.data_order import in_data_order
from keras_resample.models.steps.sampled_segmentation import (
    GRID,
    SAMPLED_PROBABILITIES,
    restore_classes,
    segment_samples,
)


@keras.saving.register_keras_serializable(package="keras_resample")
class ClassMaps(keras.Model):
    """The most probable class of every pixel of images: see `Segmenter.class_maps`.

    Args:
        segmenter: A `Segmenter`, whose weights it shares.

    Output shape:
        `(b, H, W)`, int32.
    """

    def __init__(self, segmenter, **kwargs):
        super().__init__(**{"dtype": segmenter.dtype_policy, **kwargs})
        self.segmenter = segmenter
        self.autocast = False
        if segmenter.built:
            self.build(segmenter.get_build_config()["input_shape"])

    def build(self, input_shape):
        if not self.segmenter.built:
            self.segmenter.build(input_shape)

    def call(self, images):
        model = self.segmenter
        found = segment_samples(model.sampler, model.network, images, model.from_logits, False)
        samples = found[SAMPLED_PROBABILITIES], found[GRID], images, model.restore_interpolation
        return ops.cast(restore_classes(model.sampler, *samples), "int32")

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`; the rows of a dataset of this package are in its own order."""
        return super().predict(in_data_order(x), *args, **kwargs)

    def compute_output_spec(self, images):
        height, width = self.segmenter.sampler.image_size(images.shape)
        return keras.KerasTensor((images.shape[0], height, width), dtype="int32")

    def get_config(self):
        segmenter = keras.saving.serialize_keras_object(self.segmenter)
        return {**super().get_config(), "segmenter": segmenter}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        segmenter = keras.saving.deserialize_keras_object(config["segmenter"], custom_objects)
        return cls(**{**config, "segmenter": segmenter})
