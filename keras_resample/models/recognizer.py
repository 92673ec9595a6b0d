"""An encoder and a margin head trained together by `fit(images, labels)`."""

import types

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_number, as_value_range
from keras_resample.heads.kernel_checks import check_dimension
from keras_resample.heads.labels import check_label_array, missing_labels
from keras_resample.heads.margin_head import MarginHead
from keras_resample.metrics.arrays import unit_vectors
from keras_resample.models.steps.data_order import in_data_order
from keras_resample.models.steps.eagerness import run_as
from keras_resample.models.steps.fitting import check_take_logits
from keras_resample.models.steps.flip_embedder import FlipEmbedder
from keras_resample.models.steps.images_of_files import are_paths, images_of_files
from keras_resample.models.steps.labelled_model import IMAGES, LABELS, LabelledModel
from keras_resample.models.steps.preprocessing import Preprocessing

# What `call` gives then, for the loss and the metrics of that step.
EMBEDDINGS, LOGITS, TARGETS = "embeddings", "logits", "targets"
VALUE_RANGE = "value_range"


@keras.saving.register_keras_serializable(package="keras_resample")
class Recognizer(LabelledModel):
    """Embeds images and classifies the embeddings, for training a recognition network.

    An ordinary `keras.Model`: `fit`, `evaluate` and the `*_on_batch` methods take images and
    integer labels from any data source Keras accepts, and the labels reach the head by
    themselves. In training the head applies its margin, so the loss and the training metrics are
    those of the harder, shifted logits; `evaluate`, `predict` and `recognizer(images)` use the
    plain scaled cosines. After training, `recognizer.encoder` is what is served.

    The loss is the sum of that given to `compile` (the cross-entropy of the logits by default),
    the auxiliary losses times their weights, and what layers add by `add_loss`. The auxiliary
    losses see the labels and the embeddings as the encoder gives them. Their values appear in the
    log under their names, without the weight. `sample_weight` and `class_weight` count in all of
    these losses but the last: the term of a sample is multiplied by its weight.

    A head with `sample_rate` below 1 computes the logits of the sampled classes only: the loss and
    the metrics of a training step then see these, and the positions of the labels among them.
    `evaluate` and `predict` use all classes. The statistics of a head (`head.statistics()`, such
    as the t of CurricularFace) are in the log with their current values, and saved.

    Args:
        encoder: A `keras.Model` from images to embeddings (b, dim). Its input may be several
            tensors in a dict or a tuple.
        head: A `MarginHead` such as `ArcFace(num_classes)`.
        auxiliary_losses: A sequence of `keras.losses.Loss` of the labels and the embeddings, such
            as `BatchHardTriplet()`, or of pairs of a loss and its weight (1 otherwise).
        **kwargs: Arguments of `keras.Model`. Without a `dtype`, that of the encoder: under
            "mixed_float16" `compile` scales the loss.

    Call arguments:
        inputs: What the encoder takes.
        training: Whether the layers run in training mode.

    Input shape:
        That of the encoder; labels are (b,) or (b, 1) integers in [0, num_classes).

    Output shape:
        (b, num_classes), float32: scaled cosines.

    Raises:
        ValueError: For an encoder, a head or an auxiliary loss of another type, auxiliary losses
            of the same name, a loss or metric of probabilities (`from_logits=False`), a dataset
            with more classes than the head, weights of classes that it does not have, and for
            label arrays out of range, before anything is trained.
            Labels that come in batches (a `PyDataset`, a `tf.data.Dataset`, a `DataLoader`) are
            checked as they come, where the backend can see them; inside a compiled step a label
            out of range makes the loss NaN.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> encoder = keras.Sequential(
    ...     [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(16)]
    ... )
    >>> recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(num_classes=5))
    >>> recognizer.compile(optimizer="adam", metrics=["accuracy"])
    >>> images, labels = np.random.rand(20, 8, 8, 1), np.arange(20) % 5
    >>> history = recognizer.fit(images, labels, verbose=0)
    >>> recognizer.embed(images).shape
    (20, 16)

    With a triplet loss of a tenth of the weight:

    >>> triplet = kr.losses.BatchHardTriplet(normalize=True, name="triplet")
    >>> recognizer = kr.models.Recognizer(
    ...     encoder, kr.heads.ArcFace(num_classes=5), auxiliary_losses=[(triplet, 0.1)]
    ... )
    >>> recognizer.compile(optimizer="adam")
    >>> sorted(recognizer.fit(images, labels, verbose=0).history)
    ['loss', 'triplet']
    """

    parts = ("encoder", "head")

    def __init__(self, encoder, head, auxiliary_losses=(), **kwargs):
        if not isinstance(encoder, keras.Model):
            raise ValueError(f"`encoder` must be a keras.Model. Received: {encoder=}")
        if not isinstance(head, MarginHead):
            raise ValueError(f"`head` must be a MarginHead. Received: {head=}")
        super().__init__(**{"dtype": encoder.dtype_policy, **kwargs})
        self.encoder = encoder
        self.head = head
        self.auxiliary_losses, self.auxiliary_weights = _losses_and_weights(auxiliary_losses)
        self.auxiliary_trackers = [keras.metrics.Mean(loss.name) for loss in self.auxiliary_losses]
        # Layers inside of losses: their weights are part of the state of a step and of the file.
        self.auxiliary_layers = [
            value
            for loss in self.auxiliary_losses
            for value in vars(loss).values()
            if isinstance(value, keras.Layer)
        ]
        # In an object that Keras does not look into: it would save the encoder in it.
        self._held = types.SimpleNamespace(flip_embedder=None)
        # The encoder's layers cast the images to what they compute in.
        self.autocast = False

    def build(self, input_shape):
        if not self.encoder.built:
            self.encoder.build(input_shape)
        embeddings = keras.KerasTensor(self.encoder.compute_output_shape(input_shape))
        if not self.head.built:
            self.head.build(embeddings.shape)
        check_dimension(embeddings, self.head.kernel)
        self.statistic_trackers = [keras.metrics.Mean(name) for name in self.head.statistics()]

    def call(self, inputs, training=None):
        if not (isinstance(inputs, dict) and LABELS in inputs):
            return self.head(self.encoder(inputs, training=training), training=training)
        embeddings = self.encoder(inputs[IMAGES], training=training)
        if training:
            logits, targets = self.head.training_logits(embeddings, inputs[LABELS])
        else:
            targets = inputs[LABELS]
            logits = self.head(embeddings, targets, training=False)
        return {EMBEDDINGS: embeddings, LOGITS: logits, TARGETS: targets}

    def embed(self, images, batch_size=32, verbose=0, flip=False, value_range=None):
        """Embeddings of length 1, so that a dot product of two is their cosine.

        Args:
            images: Array, any data source of `keras.Model.predict`, of which labels are ignored,
                or a list of paths of image files. The rows of a dataset of this package are in the
                order of `dataset.labels`, also where it shuffles; a `tf.data.Dataset` that
                shuffles gives its rows as they come. Files are resized to the encoder's input.
            batch_size: Images per step, for arrays and paths.
            verbose: As in `keras.Model.predict`.
            flip: Whether to add to each embedding that of the mirror image, before the
                normalisation, as the protocols of face recognition do.
            value_range: Of files: the range `(low, high)` of values to read them in, that of
                training. `None` is that of the dataset that `fit` saw last, which the file of a
                recognizer remembers. Where it was none of this package, it is [0, 1], unless the
                encoder scales its images itself: then it has to be given.

        Returns:
            Numpy float32 array (n, dim). `recognizer.encoder.predict` gives the embeddings
            before the normalisation, of a dataset that shuffles in the order of
            `dataset.labels` only by `encoder.predict(dataset.ordered())`. An embedding of zeros
            stays zeros, one with a NaN is NaN.
        """
        if are_paths(images):
            arguments = batch_size, value_range, self._value_range
            images = images_of_files(images, self.encoder, *arguments)
        elif value_range is not None:
            raise ValueError(
                "`value_range` is for paths of files; other images come with their values. "
                f"Received: value_range={value_range}, and images that are no paths"
            )
        expected = self.known_input_shape()
        if hasattr(images, "shape") and expected and len(images.shape) == len(expected) - 1:
            raise ValueError(
                "`images` must be a batch; one image is a batch of one, image[None]. "
                f"Received: images of shape {tuple(images.shape)}"
            )
        embedder = self._flip_embedder() if as_bool(flip, "flip") else self.encoder
        images = in_data_order(images)
        embeddings = embedder.predict(images, batch_size=batch_size, verbose=verbose)
        return unit_vectors(np.asarray(embeddings, "float32"))

    @property
    def preprocessing(self):
        """What `fit` saw of its images, as far as it is known; what `export.saved_model` writes."""
        return Preprocessing(self._value_range)

    def scores_of(self, loss, metrics, weighted_metrics):
        """The loss and the metrics of logits; without a loss, the cross-entropy."""
        if loss is None:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        check_take_logits(loss, "loss", keras.losses.get)
        for given in (metrics, weighted_metrics):
            check_take_logits(given, "metrics", keras.metrics.get)
        for layer in self.auxiliary_layers:
            layer.trainable = False
        return loss, metrics, weighted_metrics

    def known_input_shape(self):
        """That of the encoder, `None` where it has none yet."""
        return getattr(self.encoder, "input_shape", None)

    def known_classes(self):
        """Number of classes of the head."""
        return self.head.num_classes

    def check_labels(self, images, labels):
        """Raises unless the labels are integers of the head's classes."""
        check_label_array(labels, self.head.num_classes)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of a step, as `keras.Model.compute_loss`."""
        if y is None:
            raise missing_labels()
        if not isinstance(y_pred, dict):  # while Keras builds the losses
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        loss = super().compute_loss(x, y_pred[TARGETS], y_pred[LOGITS], sample_weight, training)
        batch = ops.shape(y_pred[EMBEDDINGS])[0]
        auxiliary = zip(
            self.auxiliary_losses, self.auxiliary_weights, self.auxiliary_trackers, strict=True
        )
        for auxiliary_loss, weight, tracker in auxiliary:
            value = auxiliary_loss(y, y_pred[EMBEDDINGS], sample_weight)
            tracker.update_state(ops.stop_gradient(value), sample_weight=batch)
            loss = ops.add(loss, ops.multiply(value, weight))
        # A layer cannot update metrics in `call` on JAX. These hold the current value, no mean.
        values = self.head.statistics().values()
        for tracker, value in zip(self.statistic_trackers, values, strict=True):
            tracker.reset_state()
            tracker.update_state(value)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of a step, as `keras.Model.compute_metrics`."""
        if y is None:
            raise missing_labels()
        if isinstance(y_pred, dict):
            y, y_pred = y_pred[TARGETS], y_pred[LOGITS]
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _flip_embedder(self):
        if self._held.flip_embedder is None:
            self._held.flip_embedder = FlipEmbedder(self.encoder)
        return run_as(self._held.flip_embedder, self.encoder)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        losses = zip(map(serialize, self.auxiliary_losses), self.auxiliary_weights, strict=True)
        # Of images whose range is unknown a file is as those of the first versions.
        known = {} if self._value_range is None else {VALUE_RANGE: self._value_range}
        return {
            **super().get_config(),
            **known,
            "encoder": serialize(self.encoder),
            "head": serialize(self.head),
            "auxiliary_losses": [list(pair) for pair in losses],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        losses = [
            (keras.saving.deserialize_keras_object(loss, custom_objects), weight)
            for loss, weight in config.get("auxiliary_losses", ())  # the first files have none
        ]
        config = {**config, "auxiliary_losses": losses}
        value_range = config.pop(VALUE_RANGE, None)
        recognizer = super().from_config(config, custom_objects)
        recognizer._value_range = None if value_range is None else as_value_range(value_range)
        return recognizer


def _losses_and_weights(auxiliary_losses):
    """The losses and their weights as two lists, checked."""
    pairs = [
        tuple(entry) if isinstance(entry, (tuple, list)) else (entry, 1.0)
        for entry in auxiliary_losses
    ]
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], keras.losses.Loss):
            raise ValueError(
                "`auxiliary_losses` must hold objects of keras.losses.Loss, or pairs of one and "
                f"its weight. Received: {pair}"
            )
        if pair[0].reduction in (None, "none"):
            raise ValueError(
                "`auxiliary_losses` must reduce to one number. "
                f"Received: {pair[0].name} with reduction={pair[0].reduction!r}"
            )
    names = [loss.name for loss, _ in pairs]
    if len({"loss", *names}) <= len(names):
        raise ValueError(
            "`auxiliary_losses` must have names of their own, which are their names in the log. "
            f"Received: losses named {names}"
        )
    weights = [as_number(weight, "auxiliary_losses", "[0, inf)") for _, weight in pairs]
    return [loss for loss, _ in pairs], weights
