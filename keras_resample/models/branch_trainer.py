"""The training of one branch of a BTNet."""

import keras
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_number, as_size
from keras_resample.heads.labels import check_label_array
from keras_resample.layers.samplers.uniform_downsample import UniformDownsample
from keras_resample.models.btnet import BTNet
from keras_resample.models.steps.checked_model import CheckedModel
from keras_resample.models.steps.frozen_weights import frozen_weights


@keras.saving.register_keras_serializable(package="keras_resample")
class BranchTrainer(CheckedModel):
    """Trains the branch of one resolution, by large images and what the trunk makes of them.

    An ordinary `keras.Model` from images of the trunk's size to embeddings. It reduces the images
    to the branch's resolution, antialiased, and embeds them by branch and trunk. Its loss is

        L = L_influence + weight * mean (B_r(x_r) - T_s(x))^2,

    the loss given to `compile`, of the embeddings, plus how far the maps of the branch are from
    those that the trunk itself has of the large images at the branch's entry. The paper's influence
    loss is `keras_resample.losses.InfluenceLoss(recognizer.head)`, the frozen classifier of the
    trunk. Labels of none of its classes are refused before anything is trained.

    The mean is over all elements. The paper's sum of squares over all elements, divided by the
    number of images alone, is H * W * C times that for maps (H, W, C): 50,176 times at 14 x 14 of
    `IResNet50`, where `distillation_weight=0.5 * 50176` is the paper's 0.5 read so.

    `fit` changes what `network.added_weights` gives, and the moving statistics of this resolution:
    nothing of the trunk, of other branches or of any `trainable` flag. Embeddings are compared
    during `fit` by `keras_resample.callbacks.VerificationCallback`.

    Args:
        network: a `BTNet`.
        resolution: (height, width), one of its branches.
        distillation_weight: weight of the second term, a mean over all elements, at least 0. At 0
            the trunk is not run.
        **kwargs: arguments of `keras.Model`.

    Call arguments:
        images: `(batch, height, width, channels)` of the trunk's size, or channels first.
        training: whether layers, such as batch normalization, run in training mode.

    Output shape:
        `(batch, dim)`, embeddings of the reduced images.

    Raises:
        ValueError: for another network, a resolution of no branch, and a branch that has frozen
            weights when the trainer is made or `fit` begins, as that of a trunk that was frozen
            when the `BTNet` was made; images of another size than the trunk's, and labels that the
            classifier of an `InfluenceLoss` does not have.

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

    parts = ("network",)

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
        self._added = network.added_weights(self.resolution)
        self.check_training()
        self.reduce = UniformDownsample(
            size=self.resolution, antialias=True, data_format=parts.data_format
        )
        self.built = True

    def check_training(self):
        """Raises for a frozen weight of the branch."""
        layers = [*self.branch.layers, *self.rest.layers]
        frozen = frozen_weights(layers, self.network.parts.own_weights(self.resolution))
        if frozen:
            raise ValueError(
                "`network` must have a branch whose weights and batch normalizations train: set "
                "the `trainable` of its layers, or make it of a trunk that is not frozen. "
                f"Received: {frozen[0]!r} with trainable=False, one of {len(frozen)}"
            )

    def known_classes(self):
        """Number of classes of an `InfluenceLoss`, `None` of another loss."""
        return getattr(self.loss, "num_classes", None)

    def check_labels(self, images, labels):
        """Raises unless the labels are classes of the loss, where it has any."""
        if self.known_classes() is not None:
            check_label_array(labels, self.known_classes())

    def call(self, images, training=None):
        images = self._of_trunk_size(images)
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

    def _of_trunk_size(self, images):
        parts = self.network.parts
        size = parts.size_of(images)
        wanted = f"`images` must have the size of the trunk, {parts.size}."
        if None in size:
            sides = ops.shape(images)
            sides = sides[2:] if parts.data_format == "channels_first" else sides[1:3]
            return backend.of_size(images, *sides, [parts.size], f"{wanted} Received:")
        if size != parts.size:
            raise ValueError(f"{wanted} Received: {size}")
        return images
