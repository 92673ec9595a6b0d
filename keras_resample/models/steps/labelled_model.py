"""The base of models whose call needs the labels of a step."""

import keras

from keras_resample.heads.labels import missing_labels
from keras_resample.models.steps.checked_model import CheckedModel

# The keys under which a step hands images and labels to `call`: nobody's own inputs have them.
IMAGES, LABELS = "step_images", "step_labels"


class LabelledModel(CheckedModel):
    """A `CheckedModel` whose `call` gets `{IMAGES: images, LABELS: labels}` in a step."""

    needs_labels = True

    def train_step(self, *args):
        # On JAX a step has the state of the model as its first argument; the data come last.
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args):
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def _with_labels(self, data):
        """The batch (x, y, sample_weight) with the labels beside the images in x."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if labels is None:
            raise missing_labels()
        # The input shape that is saved with the model is that of the images alone.
        self.build_for(images)
        inputs = {IMAGES: images, LABELS: labels}
        return keras.utils.pack_x_y_sample_weight(inputs, labels, sample_weight)
