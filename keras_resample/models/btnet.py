"""A trunk with branches for smaller images, and the files of single branches."""

import hashlib
import json
import math
import types
import zipfile

import keras
import numpy as np

from keras_resample import files
from keras_resample.arguments import as_bool, as_integer, as_size
from keras_resample.layers.trunk.branch_to_trunk import BranchToTrunk, check_keys
from keras_resample.layers.trunk.graph import copied
from keras_resample.metrics.arrays import progress_bar, to_numpy, unit_vectors
from keras_resample.models.gflops import gflops
from keras_resample.models.steps.eagerness import run_as
from keras_resample.models.steps.native_images import as_native_images, batches_of, resized
from keras_resample.ops.resolution_choice import choose_resolution

# What a file of a branch says of itself, beside its weights.
ABOUT = "about"
# Bytes of it, and of the header of an array.
MOST_WORDS, HEADER = 10_000, 1_000


@keras.saving.register_keras_serializable(package="keras_resample")
class BTNet(keras.Model):
    """Embeds images of several resolutions in the space of one trained network, the trunk.

    `keras_resample.layers.BranchToTrunk` as a model, with files of single branches. A branch of
    IResNet50 for 28 x 28 adds 1.1 % to its weights.

    1. Train the trunk, best on images of many resolutions
       (`keras_resample.layers.RandomResolution` in the encoder, which branches leave out), by a
       `Recognizer`.
    2. `BTNet(recognizer.encoder, resolutions)`; train each branch by a `BranchTrainer`, and
       `save_branch`. A branch that comes later: the same with all resolutions, `load_branch` of
       those that are there, and train the new one.
    3. `network.embed(images)` of any sizes; `network.predict(images)` of one of the resolutions,
       or `network(images)` of several, are the embeddings before the normalisation.

    Args:
        trunk, resolutions, entries, data_format: as in `BranchToTrunk`.
        **kwargs: arguments of `keras.Model`.

    Call arguments:
        images, training: as in `BranchToTrunk`.

    Raises:
        ValueError: as `BranchToTrunk`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> trunk = kr.models.IResNet(
    ...     (1, 1), (8, 16), input_shape=(28, 28, 3), embedding_dim=32, data_format="channels_last")
    >>> network = kr.models.BTNet(trunk, [(14, 14), (7, 7)], data_format="channels_last")
    >>> network.predict(np.random.rand(5, 14, 14, 3), verbose=0).shape
    (5, 32)
    >>> network.embed([np.random.rand(9, 8, 3), np.random.rand(20, 17, 3)]).shape
    (2, 32)
    >>> network.save_branch("branch.npz", (14, 14))
    >>> network.load_branch("branch.npz")

    Reference:
        [BTNet, Li et al., 2023](https://arxiv.org/abs/2310.09563)
    """

    def __init__(self, trunk, resolutions, entries=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.parts = BranchToTrunk(trunk, resolutions, entries, data_format, name="parts")
        # In an object that Keras does not look into: it would save each part several times.
        self._held = types.SimpleNamespace(encoders={})
        self.built = True

    def __call__(self, images, *args, **kwargs):
        check_keys(images)
        return super().__call__(images, *args, **kwargs)

    def call(self, images, training=None):
        return self.parts(images, training=training)

    @property
    def trunk(self):
        """The network that the branches enter."""
        return self.parts.trunk

    @property
    def resolutions(self):
        """Sizes (height, width) of the branches' images."""
        return self.parts.resolutions

    def added_weights(self, resolution):
        """What the branch of a resolution adds to the trunk; see `BranchToTrunk`.

        Training changes them, but for the kept scale of the last normalization of an `IResNet`.
        """
        return self.parts.added_weights(as_size(resolution, "resolution"))

    def costs(self):
        """What the trunk and each branch cost: a list of dicts, the trunk's first.

        Returns:
            Of each its `"resolution"`; `"parameters"`, the numbers that it adds, those of
            `added_weights`; `"share"`, these over the trunk's; `"gflops"` of one image of its own
            size, as `keras_resample.models.gflops` counts; `"ratio"`, these over the trunk's.
        """
        trunk = [w for w in self.trunk.weights if not w.name.startswith("moving_")]
        added = [trunk, *map(self.added_weights, self.resolutions)]
        numbers = [sum(math.prod(weight.shape) for weight in weights) for weights in added]
        sizes = [self.parts.size, *self.resolutions]
        arithmetic = [sum(map(gflops, self.parts.parts_of(size))) for size in sizes]
        return [
            {
                "resolution": size,
                "parameters": own,
                "share": own / numbers[0],
                "gflops": operations,
                "ratio": operations / arithmetic[0],
            }
            for size, own, operations in zip(sizes, numbers, arithmetic, strict=True)
        ]

    def embed(self, images, batch_size=32, verbose=0, flip=False, indicator="max", rounding="ceil"):
        """Embeddings of images of any sizes, of length 1, as of `Recognizer.embed`.

        Each image is resized, antialiased, to the resolution that serves it, the trunk's or a
        branch's, also where its aspect ratio is another. Those of one resolution run together.

        Args:
            images: A list of arrays `(height, width, channels)`, or channels first, each of any
                size, or a batch.
            batch_size: Images of one resolution per step.
            verbose: As in `keras.Model.predict`.
            flip: Whether to add to each embedding that of the mirror image, before the
                normalisation.
            indicator, rounding: As in `keras_resample.ops.choose_resolution`.

        Returns:
            Numpy float32 array (n, dim), in the order of the images.

        Raises:
            ValueError: For arguments out of the ranges above, and images that are none.
        """
        batch_size, flip = as_integer(batch_size, "batch_size"), as_bool(flip, "flip")
        first = self.parts.data_format == "channels_first"
        channels = self.trunk.inputs[0].shape[1 if first else 3]
        images = as_native_images(images, channels, first)
        sizes = [self.parts.size, *self.resolutions]
        native = [image.shape[:2] for image in images]
        chosen = choose_resolution(native, sizes, indicator, rounding)
        steps = [
            (size, part, length)
            for index, size in enumerate(sizes)
            for part, length in batches_of(np.flatnonzero(chosen == index), batch_size)
        ]
        embeddings = np.empty((len(images), self.trunk.output_shape[-1]), "float32")
        bar = progress_bar(len(steps), verbose, unit="step")
        for step, (size, part, length) in enumerate(steps):
            batch = np.stack([resized(images[place], size) for place in part])
            batch = np.concatenate([batch, np.repeat(batch[:1], length - len(part), axis=0)])
            embeddings[part] = self._embed_batch(batch, size, flip, first)[: len(part)]
            bar.update(step + 1)
        return unit_vectors(embeddings)

    def separate(self, resolution, pretrained=True):
        """A network of its own for one resolution: that of its branch, with nothing shared.

        Every layer is a copy. It is what branches are measured against: a network that is
        trained for this resolution as a whole.

        Args:
            resolution: (height, width), of a branch, or the trunk's, whose random layers are
                copied too.
            pretrained: Whether it begins with the weights of branch and trunk, or with fresh ones.

        Returns:
            A Functional `keras.Model` from images of the resolution to embeddings.
        """
        parts = self.parts.parts_of(as_size(resolution, "resolution"))
        return copied(parts, as_bool(pretrained, "pretrained"))

    def _embed_batch(self, batch, size, flip, first):
        """Embeddings of images (b, h, w, c) of one resolution, those of their mirrors added."""
        if size not in self._held.encoders:
            images = inputs = keras.Input(batch_shape=self.parts.parts_of(size)[0].input_shape)
            for model in self.parts.parts_of(size):
                images = model(images)
            self._held.encoders[size] = keras.Model(inputs, images)
        encoder = run_as(self._held.encoders[size], self)
        views = [batch, batch[:, :, ::-1]] if flip else [batch]
        views = [np.moveaxis(view, -1, 1) if first else view for view in views]
        return sum(np.asarray(encoder.predict_on_batch(view), "float32") for view in views)

    def save_branch(self, path, resolution):
        """Writes what one branch adds, with its moving statistics, to an `.npz` file.

        Args:
            path: of the file; what stands there is replaced.
            resolution: (height, width).
        """
        resolution = as_size(resolution, "resolution")
        weights = self.parts.own_weights(resolution)
        arrays = {f"{place}": to_numpy(weight) for place, weight in enumerate(weights)}
        about = json.dumps(self._about(resolution))
        if not str(path).endswith(".npz"):
            raise ValueError(f"`path` must end with .npz. Received: path={str(path)!r}")
        with files.whole(path) as (fresh,):
            np.savez(fresh, **arrays, **{ABOUT: np.array(about)})

    def load_branch(self, path):
        """Reads a branch that `save_branch` wrote, of the same trunk.

        Raises:
            ValueError: for another file, or a branch of another trunk, entry or resolution.
        """
        (about,) = _read(path, {ABOUT: MOST_WORDS})
        try:
            about = json.loads(str(about))
            resolution = tuple(about["resolution"])
        except (KeyError, TypeError, ValueError) as error:
            raise _is_none(path, error) from error
        self._check(path, about, resolution)
        weights = self.parts.own_weights(resolution)
        sizes = {f"{place}": to_numpy(weight).nbytes for place, weight in enumerate(weights)}
        arrays = _read(path, sizes)
        if [array.shape for array in arrays] != [tuple(weight.shape) for weight in weights]:
            raise _is_none(path, "shapes of other weights")
        for weight, array in zip(weights, arrays, strict=True):
            weight.assign(array)

    def _check(self, path, about, resolution):
        if resolution not in self.resolutions:
            wanted = [*self.resolutions, resolution]
            raise ValueError(
                f"`path` must be a branch of {list(self.resolutions)}; for one more make "
                f"BTNet(network.trunk, {wanted}) and load the file of each branch. "
                f"Received: {str(path)!r}, one of {resolution}"
            )
        expected = self._about(resolution)
        for name, words, more in (
            ("entry", "that enters at", "; `entries` of BTNet gives it another entry"),
            ("trunk", "of the trunk with the hash", ""),
        ):
            if about.get(name) != expected[name]:
                raise ValueError(
                    f"`path` must be a branch {words} {expected[name]!r}{more}. "
                    f"Received: {str(path)!r}, of {about.get(name)!r}"
                )

    def _about(self, resolution):
        digest = hashlib.sha256()
        for weight in self.trunk.weights:
            digest.update(str(tuple(weight.shape)).encode())
            digest.update(np.ascontiguousarray(to_numpy(weight)).tobytes())
        entry = self.parts.entries[self.parts.index_of(resolution)]
        return {"resolution": resolution, "entry": entry, "trunk": digest.hexdigest()}

    def get_config(self):
        config = self.parts.get_config()
        names = ("trunk", "resolutions", "entries", "data_format")
        return {**super().get_config(), **{name: config[name] for name in names}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        trunk = keras.saving.deserialize_keras_object(config["trunk"], custom_objects)
        return cls(**{**config, "trunk": trunk})


def _read(path, sizes):
    """Arrays of an `.npz` file by their names, none of more bytes than it may have."""
    try:
        with np.load(path, allow_pickle=False) as file:
            for name, size in sizes.items():
                if file.zip.getinfo(f"{name}.npy").file_size > size + HEADER:
                    raise ValueError(f"more than {size} bytes in {name!r}")
            return [file[name] for name in sizes]
    except (AttributeError, EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise _is_none(path, error) from error


def _is_none(path, why):
    return ValueError(f"`path` must be a file of `save_branch` ({why}). Received: {str(path)!r}")
