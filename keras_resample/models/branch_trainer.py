"""The training of one branch of a BTNet."""

import keras
from keras import ops

from keras_resample.arguments import as_number, as_size
from keras_resample.layers.samplers.uniform_downsample import UniformDownsample
from keras_resample.models.btnet import BTNet


@keras.saving.register_keras_serializable(package="keras_resample")
class BranchTrainer(keras.Model):
    """Trains the branch of one resolution, by large images and what the trunk makes of them.

    An ordinary `keras.Model` from images of the trunk's size to embeddings. It reduces the images
    to the branch's resolution, antialiased, and embeds them by branch and trunk. Its loss is

        L = L_influence + weight * mean (B_r(x_r) - T_s(x))^2,

    the loss given to `compile`, of the embeddings, plus how far the maps of the branch are from
    those that the trunk itself has of the large images at the branch's entry. The paper's influence
    loss is `keras_resample.losses.InfluenceLoss(recognizer.head)`, the frozen classifier of the
    trunk. The mean is over all elements.

    `fit` changes what `network.added_weights` gives, and the moving statistics of this resolution:
    nothing of the trunk, of other branches or of any `trainable` flag. Embeddings are compared
    during `fit` by `keras_resample.callbacks.VerificationCallback`.

    Args:
        network: a `BTNet`.
        resolution: (height, width), one of its branches.
        distillation_weight: weight of the second term, at least 0. At 0 the trunk is not run.
        **kwargs: arguments of `keras.Model`.

    Call arguments:
        images: `(batch, height, width, channels)` of the trunk's size, or channels first.
        training: whether layers, such as batch normalization, run in training mode.

    Output shape:
        `(batch, dim)`, embeddings of the reduced images.

    Raises:
        ValueError: for another network, a resolution of no branch, and a branch whose batch
            normalizations are frozen, as those of a trunk that was frozen when the `BTNet` was
            made.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> trunk = kr.models.IResNet(
    ...     (1, 1), (8, 16), input_shape=(28, 28, 3), embedding_dim=32, data_format="channels_last")
    >>> head = kr.heads.ArcFace(num_classes=4)
    >>> recognizer = kr.models.Recognizer(trunk, head)  # trained by fit, then:
    >>> recognizer.build((None, 28, 28, 3))
    >>> network = kr.models.BTNet(trunk, [(14, 14), (7, 7)], data_format="channels_last")
    >>> trainer = kr.models.BranchTrainer(network, (7, 7))
    >>> trainer.compile(keras.optimizers.SGD(0.02, momentum=0.9), kr.losses.InfluenceLoss(head))
    >>> images, labels = np.random.rand(8, 28, 28, 3), np.arange(8) % 4
    >>> history = trainer.fit(images, labels, batch_size=4, verbose=0)
    >>> sorted(history.history)
    ['loss']

    Reference:
        [BTNet, Li et al., 2023](https://arxiv.org/abs/2310.09563)
    """

    def __init__(self, network, resolution, distillation_weight=0.5, **kwargs):
        if not isinstance(network, BTNet):
            raise ValueError(f"`network` must be a BTNet. Received: network={network!r}")
        super().__init__(**kwargs)
        self.network = network
        self.resolution = as_size(resolution, "resolution")
        self.distillation_weight = as_number(distillation_weight, "distillation_weight", "[0, inf)")
        parts = network.parts
        index = parts.index_of(self.resolution)
        self.branch, self.rest, self.upper = (
            group[index] for group in (parts.branches, parts.rests, parts.uppers)
        )
        for layer in (*self.branch.layers, *self.rest.layers):
            if isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable:
                raise ValueError(
                    "`network` must have batch normalizations that train: set their `trainable`, "
                    "or make it of a trunk that is not frozen. "
                    f"Received: {layer.name!r} with trainable=False"
                )
        self._added = network.added_weights(self.resolution)
        self.reduce = UniformDownsample(
            size=self.resolution, antialias=True, data_format=parts.data_format
        )
        self.built = True

    def call(self, images, training=None):
        maps = self.branch(self.reduce(images), training=training)
        if training and self.distillation_weight:
            target = ops.stop_gradient(self.upper(images, training=False))
            difference = ops.cast(maps, "float32") - ops.cast(target, "float32")
            self.add_loss(self.distillation_weight * ops.mean(ops.square(difference)))
        return self.rest(maps, training=training)

    @property
    def trainable_variables(self):
        return [weight for weight in self._added if weight.trainable]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        trained = {id(weight) for weight in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self):
        trained = {id(weight) for weight in self.trainable_variables}
        return [weight for weight in self.weights if id(weight) not in trained]

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "resolution": self.resolution,
            "distillation_weight": self.distillation_weight,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects)
        return cls(**{**config, "network": network})
