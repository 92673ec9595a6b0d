"""One network for images of several resolutions."""

import keras
import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_data_format, as_size
from keras_resample.layers.trunk.branching import Branching


@keras.saving.register_keras_serializable(package="keras_resample")
class BranchToTrunk(keras.layers.Layer):
    """Embeds small images by a branch of their own that enters a trained network, the trunk.

    The branch of a resolution has the trunk's layers up to its entry, with every stride 1, so that
    its maps are as large as its images; the entry is where the trunk's own maps have this size.
    What follows is the trunk. Its weights are shared, not copied; batch normalizations, in branch
    and trunk, are of one resolution each. So an image of 28 x 28 is never enlarged to 112 x 112,
    and costs what its own pixels do:

        y_r = T_r(B_r(x_r)),    and T(x) for images of the trunk's own size.

    Branches start with the weights of the trunk; `keras_resample.models.BranchTrainer` trains them.

    Layers that change the trunk's images at random, such as `RandomResolution` or
    `keras.layers.RandomFlip`, are the trunk's alone: a branch leaves out those that come before the
    first layer that learns, and sees its images as they are, in training too.

    Args:
        trunk: built Functional `keras.Model` from images to embeddings, such as
            `keras_resample.models.IResNet50()`, a network of `keras.applications` or your own;
            Functional models inside of it are opened.
        resolutions: sizes (height, width) of the branches' images, each with the aspect ratio of
            the trunk's and of maps that the trunk has.
        entries: names of the trunk's layers whose maps the branches give, one for each of
            `resolutions`; later ones of the same size give a branch more layers and share fewer.
            Default: where the first unit that convolves to maps of that size ends, that is at its
            sum (of a residual unit), or else where several layers read its maps; in a plain chain
            of layers, which has neither, the first maps of that size.
        data_format: of the trunk's images, `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, height, width, channels)`, or channels first, of the trunk's size or one
            of `resolutions`: one branch runs. Or a dict from resolution to such images: each has
            its branch, and the result is a dict of the same keys, (28, 28) or, as files of models
            need them, "28x28". Or a list of single images
            (height, width, channels) of these sizes in any order: those of one size run together.
        training: whether layers, such as batch normalization, run in training mode.

    Output shape:
        That of the trunk, `(batch, dim)`. Of a list `(len(images), dim)`, in its order.

    Raises:
        ValueError: for a trunk that is not Functional, has several inputs or outputs, batch
            normalizations inside of other layers, or changes the size of images where it has no
            strides; a resolution of another aspect ratio or one that the trunk has no maps of;
            entries that are none; and images of a size that no branch has, or of other channels.
            Where TensorFlow learns the size only inside of a graph, the graph fails.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> trunk = kr.models.IResNet(
    ...     (1, 1), (8, 16), input_shape=(28, 28, 3), embedding_dim=32, data_format="channels_last")
    >>> network = kr.layers.BranchToTrunk(trunk, [(14, 14), (7, 7)], data_format="channels_last")
    >>> network(np.random.rand(5, 7, 7, 3)).shape == (5, 32)
    True
    >>> faces = [np.random.rand(side, side, 3) for side in (14, 28, 7, 14)]
    >>> network(faces).shape == (4, 32)
    True

    Reference:
        [BTNet, Li et al., 2023](https://arxiv.org/abs/2310.09563)
    """

    def __init__(self, trunk, resolutions, entries=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = as_data_format(data_format)
        parts = Branching(trunk, self.data_format)
        self.trunk, self.size = trunk, parts.size
        self.resolutions = as_resolutions(resolutions, self.size)
        names = as_entries(entries, len(self.resolutions))
        steps = list(map(parts.entry, self.resolutions, names))
        self.entries = tuple(step.layer.name for step in steps)
        words = list(map(word_of, self.resolutions))
        self.branches = [
            parts.branch(step, resolution, f"branch_{word}")
            for step, resolution, word in zip(steps, self.resolutions, words, strict=True)
        ]
        self.rests = [
            parts.rest(step, f"rest_{word}") for step, word in zip(steps, words, strict=True)
        ]
        self.uppers = [parts.upper(step) for step in steps]

    def __call__(self, images, *args, **kwargs):
        check_keys(images)
        return super().__call__(images, *args, **kwargs)

    def call(self, images, training=None):
        training = bool(training)  # of a layer of the trunk the default may be another
        if isinstance(images, dict):
            for resolution, batch in images.items():
                size = self.size_of(batch)
                if resolution not in (size, word_of(size)):
                    raise ValueError(
                        f"`images` must have the size of their key. Received: {resolution}: images "
                        f"of shape {tuple(batch.shape)}"
                    )
            return {key: self._embed(batch, training) for key, batch in images.items()}
        if isinstance(images, (list, tuple)):
            return self._embed_each(images, training)
        return self._embed(images, training)

    def _embed(self, images, training=None):
        """The embeddings of a batch of one resolution."""
        size = self.size_of(images)
        if None in size:
            return self._embed_unknown(images, training)
        for model in self.parts_of(size):
            images = model(images, training=training)
        return images

    def _embed_unknown(self, images, training):
        """The embeddings of a batch whose resolution only the graph knows."""
        first = self.data_format == "channels_first"
        shape = ops.shape(images)
        height, width = shape[2:] if first else shape[1:3]
        sizes = [self.size, *self.resolutions]
        images = backend.of_size(images, height, width, sizes, f"{self._wanted()} Received:")

        def embed(size):
            known = (shape[1], *size) if first else (*size, shape[3])
            return self._embed(ops.reshape(images, (shape[0], *known)), training)

        def fits(size):
            return ops.logical_and(ops.equal(height, size[0]), ops.equal(width, size[1]))

        def embed_first_of(size, *others):
            if others:
                return ops.cond(fits(size), lambda: embed(size), lambda: embed_first_of(*others))
            return ops.where(fits(size), embed(size), np.nan)  # compilers leave out the check

        return embed_first_of(*sizes)

    def _wanted(self):
        return (
            f"`images` must have the size of the trunk, {self.size}, or of a branch, "
            f"{list(self.resolutions)}."
        )

    def index_of(self, resolution):
        """The place of a resolution in `resolutions`."""
        if resolution not in self.resolutions:
            raise ValueError(f"{self._wanted()} Received: {resolution}")
        return self.resolutions.index(resolution)

    def added_weights(self, resolution):
        """What the branch of a resolution adds to the trunk, and files of it hold.

        Its own layers, and the scales and shifts of its batch normalizations in the trunk; not
        the moving statistics. Training changes them, but for those that no training of the trunk
        changes either: the kept scale of the last normalization of an `IResNet`.
        """
        own = self.own_weights(resolution)
        return [weight for weight in own if not weight.name.startswith("moving_")]

    def own_weights(self, resolution):
        """`added_weights` with the moving statistics: all that one resolution has of its own."""
        index = self.index_of(resolution)
        shared = {id(weight) for weight in self.trunk.weights}
        weights = self.branches[index].weights + self.rests[index].weights
        return [weight for weight in weights if id(weight) not in shared]

    def parts_of(self, resolution):
        """The models that images of a size go through in a row: the trunk, or branch and rest."""
        if resolution == self.size:
            return [self.trunk]
        index = self.index_of(resolution)
        return [self.branches[index], self.rests[index]]

    def _embed_each(self, images, training):
        if not images:
            raise ValueError(f"`images` must be at least one image. Received: images={images!r}")
        places = {}
        for place, image in enumerate(images):
            places.setdefault(self.size_of(image[None]), []).append(place)
        found = [
            self._embed(ops.stack([images[place] for place in own]), training)
            for own in places.values()
        ]
        order = sum(places.values(), [])
        back = sorted(range(len(order)), key=order.__getitem__)
        return ops.take(ops.concatenate(found), back, axis=0)

    def compute_output_shape(self, images_shape):
        dim = tuple(self.trunk.output_shape[1:])
        if isinstance(images_shape, dict):
            return {key: (shape[0], *dim) for key, shape in images_shape.items()}
        if isinstance(images_shape[0], (list, tuple)):
            return (len(images_shape), *dim)
        return (images_shape[0], *dim)

    def size_of(self, images):
        """Height and width of a batch of images, which must have the trunk's channels."""
        shape = tuple(images.shape)
        if len(shape) != 4:
            raise ValueError(
                "`images` must be a batch (4D), a dict of them by resolution, or a list of images "
                f"(3D). Received: shape {shape}"
            )
        first = self.data_format == "channels_first"
        axis = 1 if first else 3
        channels = self.trunk.inputs[0].shape[axis]
        if shape[axis] not in (channels, None):
            raise ValueError(
                f"`images` must have the {channels} channels of the trunk's, {self.data_format}. "
                f"Received: shape {shape}"
            )
        return shape[2:] if first else shape[1:3]

    def get_config(self):
        return {
            **super().get_config(),
            "trunk": keras.saving.serialize_keras_object(self.trunk),
            "resolutions": self.resolutions,
            "entries": self.entries,
            "data_format": self.data_format,
        }

    @classmethod
    def from_config(cls, config):
        trunk = keras.saving.deserialize_keras_object(config["trunk"])
        return cls(**{**config, "trunk": trunk})


def check_keys(images):
    """Raises for a dict of images with keys of several types, which Keras would sort."""
    if isinstance(images, dict) and len(set(map(type, images))) > 1:
        raise ValueError(
            '`images` must have keys of one kind, such as (28, 28) or "28x28". '
            f"Received: keys {list(images)}"
        )


def word_of(resolution):
    """A resolution as a word, such as "28x24"."""
    return "{}x{}".format(*resolution)


def as_resolutions(resolutions, size):
    """`resolutions` as different pairs (height, width) of the aspect ratio of `size`."""
    if not isinstance(resolutions, (list, tuple)) or not resolutions:
        raise ValueError(
            "`resolutions` must be a list of sizes (height, width). "
            f"Received: resolutions={resolutions!r}"
        )
    found = tuple(as_size(resolution, "resolutions") for resolution in resolutions)
    for height, width in found:
        if height * size[1] != width * size[0] or height >= size[0]:
            raise ValueError(
                f"`resolutions` must be smaller than the trunk's {size}, with its aspect ratio. "
                f"Received: {(height, width)}"
            )
    if len(set(found)) < len(found):
        raise ValueError(f"`resolutions` must be different. Received: {resolutions!r}")
    return found


def as_entries(entries, count):
    """`entries` as a list of `count` names or `None`s."""
    if entries is None:
        return [None] * count
    if isinstance(entries, str) or len(entries) != count:
        raise ValueError(
            f"`entries` must name {count} layers, one for each resolution. Received: {entries!r}"
        )
    return list(entries)
