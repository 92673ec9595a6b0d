"""The base of models whose call needs the labels of a step."""

import keras

# The keys under which a step hands images and labels to `call`: nobody's own inputs have them.
IMAGES, LABELS = "step_images", "step_labels"


class LabelledModel(keras.Model):
    """A `keras.Model` whose `call` gets `{IMAGES: images, LABELS: labels}` in a step.

    A subclass checks labels in `check_labels`: those of arrays before anything is trained.
    """

    def check_labels(self, images, labels):
        """Raises unless the labels fit the images and the model; here nothing is asked of them.

        Args:
            images: what `fit` takes, of a built model.
            labels: array or tensor.
        """

    def compile_from_config(self, config):
        """As `keras.Model.compile_from_config`, with the optimizer's state to load."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        """As `keras.Model.fit`, of images and labels."""
        if y is None and hasattr(x, "shape"):
            raise ValueError("`labels` are needed to train: fit(images, labels). Received: y=None")
        self._check_arrays(x, y)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) > 1:
            self._check_arrays(*validation_data[:2])
        return super().fit(x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, of images and labels."""
        self._check_arrays(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.train_on_batch`, of images and labels."""
        self._check_arrays(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.test_on_batch`, of images and labels."""
        self._check_arrays(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def train_step(self, *args):
        # On JAX a step has the state of the model as its first argument; the data come last.
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args):
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def build_for(self, images):
        """Builds for images of this size, in batches of any size."""
        if not self.built:
            self.build(keras.tree.map_structure(lambda image: (None, *image.shape[1:]), images))

    def _check_arrays(self, images, labels):
        if labels is not None and all(hasattr(x, "shape") for x in keras.tree.flatten(images)):
            self.build_for(images)
            self.check_labels(images, labels)

    def _with_labels(self, data):
        """The batch (x, y, sample_weight) with the labels beside the images in x."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if labels is None:
            raise ValueError("`labels` are needed to train or evaluate. Received: labels=None")
        # The input shape that is saved with the model is that of the images alone.
        self.build_for(images)
        inputs = {IMAGES: images, LABELS: labels}
        return keras.utils.pack_x_y_sample_weight(inputs, labels, sample_weight)
