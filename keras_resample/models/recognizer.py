"""An encoder and a margin head trained together by `fit(images, labels)`."""

import keras
import numpy as np
from keras import ops

from keras_resample.heads.margin_head import MarginHead, check_labels, check_range

# The keys under which a step hands images and labels to `call`: nobody's own inputs have them.
IMAGES, LABELS = "recognizer_images", "recognizer_labels"


@keras.saving.register_keras_serializable(package="keras_resample")
class Recognizer(keras.Model):
    """Embeds images and classifies the embeddings, for training a recognition network.

    An ordinary `keras.Model`: `fit`, `evaluate` and the `*_on_batch` methods take images and
    integer labels from any data source Keras accepts, and the labels reach the head by
    themselves. In training the head applies its margin, so the loss and the training metrics are
    those of the harder, shifted logits; `evaluate`, `predict` and `recognizer(images)` use the
    plain scaled cosines. After training, `recognizer.encoder` is what is served.

    Losses that layers of the encoder add with `add_loss` are part of the training loss.

    Args:
        encoder: A `keras.Model` from images to embeddings (b, dim). Its input may be several
            tensors in a dict or a tuple.
        head: A `MarginHead` such as `ArcFace(num_classes)`.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: What the encoder takes.
        training: Whether the layers run in training mode.

    Input shape:
        That of the encoder; labels are (b,) or (b, 1) integers in [0, num_classes).

    Output shape:
        (b, num_classes), float32: scaled cosines.

    Raises:
        ValueError: For an encoder or a head of another type, and for label arrays out of range,
            before anything is trained. Labels that come in batches (a `PyDataset`, a
            `tf.data.Dataset`, a `DataLoader`) are checked as they come, where the backend
            can see them; inside a compiled step a label out of range makes the loss NaN.

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
    """

    def __init__(self, encoder, head, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(encoder, keras.Model):
            raise ValueError(f"`encoder` must be a keras.Model. Received: {encoder=}")
        if not isinstance(head, MarginHead):
            raise ValueError(f"`head` must be a MarginHead. Received: {head=}")
        self.encoder = encoder
        self.head = head
        # The encoder's layers cast the images to what they compute in.
        self.autocast = False

    def build(self, input_shape):
        if not self.encoder.built:
            self.encoder.build(input_shape)
        if not self.head.built:
            self.head.build(self.encoder.compute_output_shape(input_shape))

    def call(self, inputs, training=None):
        labels = None
        if isinstance(inputs, dict) and LABELS in inputs:
            inputs, labels = inputs[IMAGES], inputs[LABELS]
        embeddings = self.encoder(inputs, training=training)
        return self.head(embeddings, labels, training=training)

    def embed(self, images, batch_size=32, verbose=0):
        """Embeddings of length 1, so that a dot product of two is their cosine.

        Args:
            images: Array or any data source of `keras.Model.predict`; labels in it are ignored.
            batch_size: Images per step, for arrays.
            verbose: As in `keras.Model.predict`.

        Returns:
            Numpy float32 array (n, dim). `recognizer.encoder.predict` gives the embeddings
            before the normalisation. An embedding of zeros stays zeros.
        """
        embeddings = self.encoder.predict(images, batch_size=batch_size, verbose=verbose)
        embeddings = np.asarray(embeddings, "float32")
        length = np.linalg.norm(embeddings, axis=-1, keepdims=True)
        return embeddings / np.where(length > 0, length, 1)

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """As `keras.Model.compile`; without a loss, the cross-entropy of the logits."""
        if loss is None:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        super().compile(optimizer, loss, *args, **kwargs)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        if y is None and hasattr(x, "shape"):
            raise ValueError("`labels` are needed to train: fit(images, labels). Received: y=None")
        self._check_array(y)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) > 1:
            self._check_array(validation_data[1])
        return super().fit(x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        self._check_array(y)
        return super().evaluate(x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        self._check_array(y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        self._check_array(y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def train_step(self, *args):
        # On JAX a step has the state of the model as its first argument; the data come last.
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args):
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "head": keras.saving.serialize_keras_object(self.head),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("encoder", "head")
        }
        return cls(**{**config, **parts})

    def _check_array(self, labels):
        if labels is not None:
            labels = ops.convert_to_numpy(labels)
            check_labels(labels)
            check_range(labels, self.head.num_classes)

    def _with_labels(self, data):
        """The batch (x, y, sample_weight) with the labels beside the images in x."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if labels is None:
            raise ValueError("`labels` are needed to train or evaluate. Received: labels=None")
        if not self.built:
            # The input shape that is saved with the model is that of the images alone.
            self.build(keras.tree.map_structure(lambda image: tuple(image.shape), images))
        inputs = {IMAGES: images, LABELS: labels}
        return keras.utils.pack_x_y_sample_weight(inputs, labels, sample_weight)
