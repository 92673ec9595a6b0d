"""The base of models that check labels before they train on them."""

import contextlib
import warnings

import keras
import numpy as np

from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.models.steps.data_order import in_data_order
from keras_resample.models.steps.fitting import (
    check_class_weight,
    check_classes_of,
    warn_of_nan,
    warn_of_other_identities,
)
from keras_resample.models.steps.optimizer_config import of_any_backend


class CheckedModel(keras.Model):
    """A `keras.Model` of images and labels that fit each other before anything is trained.

    A subclass checks labels in `check_labels`: those of arrays before anything is trained. It
    names its `parts`, the arguments that are models or layers.

    Attributes:
        class_weights: Dict of weights, or `None`, of the classes in a step where the subclass
            `weighs_classes` itself: Keras knows the classes of samples, not those of pixels.
    """

    parts = ()
    weighs_classes = False
    needs_labels = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.class_weights = None
        self._identities = None  # of the labels that were trained, where the dataset knows them
        self._value_range = None  # of the images that were trained, likewise

    def known_input_shape(self):
        """Shape of the images, `None` where it is not known yet."""

    def known_classes(self):
        """Number of classes, `None` where it is not known yet."""

    def check_labels(self, images, labels):
        """Raises unless the labels fit the images and the model; here nothing is asked of them.

        Args:
            images: what `fit` takes, of a built model.
            labels: array or tensor.
        """

    def check_training(self):
        """Raises where the model cannot be trained as it is; here never."""

    def warn_of_labels(self, labels):
        """Warns of labels that are probably not what was meant; here of none.

        Args:
            labels: numpy array that `fit` takes, of a built model.
        """

    def warn_of_training(self, source, labels):
        """Warns of what only the training showed of its labels; here of nothing.

        Args:
            source, labels: `x` and `y` of `fit`.
        """

    def scores_of(self, loss, metrics, weighted_metrics):
        """What `compile` is given of these, as it is used; raises where it does not fit."""
        return loss, metrics, weighted_metrics

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """As `keras.Model.compile`, of a loss and metrics that fit the model."""
        loss, metrics, weighted_metrics = self.scores_of(loss, metrics, weighted_metrics)
        super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs)

    def get_compile_config(self):
        """As `keras.Model.get_compile_config`, with an optimizer of any backend."""
        return of_any_backend(super().get_compile_config())

    def compile_from_config(self, config):
        """As `keras.Model.compile_from_config`, with the optimizer's state to load."""
        self.compile(**keras.saving.deserialize_keras_object(of_any_backend(config)))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, validation_data=None, class_weight=None, **kwargs):
        """As `keras.Model.fit`, of images and labels."""
        self.check_training()
        if self.needs_labels and y is None and hasattr(x, "shape"):
            raise ValueError("`labels` are needed to train: fit(images, labels). Received: y=None")
        self._check_source(x, y)
        if isinstance(y, np.ndarray):
            self.warn_of_labels(y)
        identities = getattr(x, "identities", None)
        self._identities = None if identities is None else tuple(identities)
        self._value_range = x.value_range if isinstance(x, ImageDataset) else None
        if isinstance(validation_data, (tuple, list)) and len(validation_data) > 1:
            self._check_source(*validation_data[:2])
        elif validation_data is not None:
            self._check_source(validation_data)
        kwargs |= {"validation_data": validation_data, "class_weight": self._left(class_weight)}
        history = super().fit(x, y, *args, **kwargs)
        last = {name: values[-1] for name, values in history.history.items()}
        warn_of_nan(last, self.known_classes())
        if validation_data is None:  # which the metrics would have counted last
            self.warn_of_training(x, y)
        return history

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, of images and labels.

        Warns of a dataset of other identities than those of `fit`, which no file remembers.
        """
        self._check_source(x, y)
        warn_of_other_identities(self._identities, x)
        found = super().evaluate(x, y, *args, **kwargs)
        warn_of_nan(found, self.known_classes())
        return found

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, *args, **kwargs):
        """As `keras.Model.train_on_batch`, of images and labels."""
        self.check_training()
        self._check_arrays(x, y)
        class_weight = self._left(class_weight)
        return super().train_on_batch(x, y, sample_weight, class_weight, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.test_on_batch`, of images and labels."""
        self._check_arrays(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`; the rows of a dataset of this package are in its own order."""
        return super().predict(in_data_order(x), *args, **kwargs)

    def summary(self, *args, **kwargs):
        """As `keras.Model.summary`, of the built model where the shape of its images is known."""
        shape = None if self.built else self.known_input_shape()
        if shape is not None:
            with self._strategy_scope():
                self.build(shape)
        elif not self.built:
            warnings.warn(
                "The summary is of an unbuilt model, without the parameters of its unbuilt layers: "
                "call build((None, height, width, channels)) before it. Received: built=False",
                stacklevel=2,
            )
        super().summary(*args, **kwargs)

    def build_for(self, images):
        """Builds for images of this size, in batches of any size."""
        if not self.built:
            self.build(keras.tree.map_structure(lambda image: (None, *image.shape[1:]), images))

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in cls.parts
        }
        return cls(**{**config, **parts})

    def _left(self, class_weight):
        """The weights of classes that are left to Keras."""
        ignored = getattr(self, "ignore_class", None)
        check_class_weight(class_weight, self.known_classes(), ignored)
        if not self.weighs_classes:
            return class_weight
        weights = class_weight and {int(k): w for k, w in class_weight.items() if k != ignored}
        if weights != self.class_weights:
            self.class_weights = weights
            self.train_function = None  # the compiled step holds them as constants
        return None

    def _check_source(self, source, labels=None):
        check_classes_of(source, self.known_classes())
        self._check_arrays(source, labels)

    def _check_arrays(self, images, labels):
        if isinstance(labels, (list, tuple)) and all(np.ndim(x) == 0 for x in labels):
            kind = type(labels).__name__
            raise ValueError(f"`labels` must be an array, as np.array(labels). Received: a {kind}")
        if labels is not None and all(hasattr(x, "shape") for x in keras.tree.flatten(images)):
            with self._strategy_scope():
                self.build_for(images)
            self.check_labels(images, labels)

    def _strategy_scope(self):
        """Where TensorFlow's `tf.distribute` wants the variables to be made."""
        strategy = getattr(self, "distribute_strategy", None)
        return contextlib.nullcontext() if strategy is None else strategy.scope()
