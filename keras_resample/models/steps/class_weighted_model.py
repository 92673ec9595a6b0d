"""The base of models that weigh classes of pixels."""

from keras_resample.models.steps.labelled_model import LabelledModel


class ClassWeightedModel(LabelledModel):
    """A `LabelledModel` whose loss weighs classes itself, by `class_weights`, a dict or None.

    Keras knows the classes of samples only, not those of pixels.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.class_weights = None

    def fit(self, x=None, y=None, *args, class_weight=None, **kwargs):
        """As `keras.Model.fit`, of images and labels."""
        self._set_class_weights(class_weight)
        return super().fit(x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        """As `keras.Model.train_on_batch`, of images and labels."""
        self._set_class_weights(class_weight)
        return super().train_on_batch(x, y, sample_weight, **kwargs)

    def _set_class_weights(self, weights):
        weights = None if weights is None else dict(weights)
        if weights != self.class_weights:
            self.class_weights = weights
            self.train_function = None  # the compiled step holds them as constants
