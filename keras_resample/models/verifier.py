"""An encoder with a threshold: a recognizer that one can ask."""

import typing

import keras
import numpy as np

from keras_resample.arguments import as_bool, as_integer, as_number, as_value_range
from keras_resample.metrics.arrays import to_numpy, unit_vectors
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.data_order import in_data_order
from keras_resample.models.steps.flip_embedder import embed_both
from keras_resample.models.steps.images_of_files import are_paths, images_of_files
from keras_resample.models.steps.preprocessing import Preprocessing
from keras_resample.models.steps.unit_length import unit_length

GALLERY = "gallery"


class Decision(typing.NamedTuple):
    """Whether two images show one identity.

    Attributes:
        score: cosine of the two embeddings.
        same: whether it is at least the threshold.
    """

    score: float
    same: bool


class Match(typing.NamedTuple):
    """An enrolled identity that an image may show.

    Attributes:
        name: as it was enrolled.
        score: cosine of the embeddings.
        same: whether it is at least the threshold.
    """

    name: str
    score: float
    same: bool


@keras.saving.register_keras_serializable(package="keras_resample")
class Verifier(keras.Model):
    """Tells who is who: compares the embeddings of images, and of those that were enrolled.

    A `keras.Model` from images to embeddings of length 1, whose `.keras` file holds all it needs:
    encoder, threshold, how files are read, and the enrolled embeddings (never an image). Files are
    read as everywhere in this package, turned as their EXIF orientation says.

    Args:
        encoder: A built `keras.Model` from one batch of images to embeddings (b, dim), or a
            `Recognizer`, of which the encoder is taken.
        threshold: Cosine from which on two images show one identity, in [-1, 1]; see
            `keras_resample.metrics.threshold_at_far`.
        flip: Whether an embedding is the sum of those of the image and of its mirror image.
        value_range: Of files: the range `(low, high)` of values that the encoder was trained on.
            `None` is that of the `Recognizer` where it knows it, else [0, 1], unless the encoder
            scales its images itself: then it has to be given.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        images: What the encoder takes, in the range of its training.

    Input shape:
        That of the encoder.

    Output shape:
        (b, dim), float32.

    Raises:
        ValueError: For an encoder of another kind, or arguments out of these ranges.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    >>> verifier = kr.models.Verifier(encoder, threshold=0.9)
    >>> ann, bob = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> verifier.verify(ann, 0.5 * ann).same, verifier.verify(ann, bob).same
    (True, False)
    >>> verifier.enroll("ann", ann[None])
    >>> verifier.enroll("bob", bob[None])
    >>> [match.name for match in verifier.search(0.5 * bob, k=1)]
    ['bob']
    >>> verifier.save("door.keras")
    >>> keras.models.load_model("door.keras").names
    ('ann', 'bob')
    """

    def __init__(self, encoder, threshold, flip=False, value_range=None, **kwargs):
        known_range = None
        if isinstance(encoder, Recognizer):
            known_range = encoder.preprocessing.value_range
            encoder = encoder.encoder
        if not isinstance(encoder, keras.Model) or not encoder.built:
            raise ValueError(f"`encoder` must be a built keras.Model. Received: {encoder=}")
        super().__init__(**{"dtype": encoder.dtype_policy, **kwargs})
        self.encoder = encoder
        self.threshold = as_number(threshold, "threshold", "[-1, 1]")
        self.flip = as_bool(flip, "flip")
        if value_range is None:
            value_range = known_range
        self.value_range = None if value_range is None else as_value_range(value_range)
        self._enrolled = {}
        # The encoder's layers cast the images to what they compute in.
        self.autocast = False
        self.built = True

    def call(self, images):
        embed = embed_both if self.flip else _embed_one
        return unit_length(embed(self.encoder, images))

    @property
    def preprocessing(self):
        """How images become embeddings, and these a decision; what `export.saved_model` writes."""
        return Preprocessing(self.value_range, self.flip, True, self.threshold)

    @property
    def names(self):
        """The names of who is enrolled, in the order of their enrolment."""
        return tuple(self._enrolled)

    def embed(self, images, batch_size=32, verbose=0):
        """Embeddings of length 1, in the order of the images.

        Args:
            images: As of `Recognizer.embed`: an array, a list of paths of image files, a dataset or
                another data source; or one image (h, w, c), or the path of one.
            batch_size: Images per step, for arrays and paths.
            verbose: As in `keras.Model.predict`.

        Returns:
            Numpy float32 array (n, dim). An embedding of zeros stays zeros, one with a NaN is NaN.
        """
        images, _ = _batch(images)
        if are_paths(images):
            images = images_of_files(images, self.encoder, batch_size, self.value_range)
        images = in_data_order(images)
        embeddings = self.predict(images, batch_size=batch_size, verbose=verbose)
        return np.asarray(embeddings, "float32")

    def verify(self, first, second, batch_size=32, verbose=0):
        """Whether two images show one identity, or each two of two batches.

        Args:
            first, second: Each as in `embed`, of the same number of images.
            batch_size, verbose: As in `embed`.

        Returns:
            `Decision`: `score`, a float, and `same`, a bool; of batches arrays (n,).

        Raises:
            ValueError: For numbers of images that differ, and an embedding with a NaN, which would
                compare as different from all.
        """
        single = all(_batch(images)[1] for images in (first, second))
        one, other = (self._sound(images, batch_size, verbose) for images in (first, second))
        if len(one) != len(other):
            raise ValueError(
                "`first` and `second` must have the same number of images. "
                f"Received: {len(one)} and {len(other)}"
            )
        scores = np.einsum("ij,ij->i", one, other)
        found = scores, scores >= self.threshold
        return Decision(*(values[0].item() for values in found) if single else found)

    def enroll(self, name, images, batch_size=32, verbose=0, overwrite=False):
        """Remembers an identity by the sum of the embeddings of its images, of length 1.

        Args:
            name: A string.
            images, batch_size, verbose: As in `embed`: all images of this identity.
            overwrite: Whether to replace one of the same name.

        Raises:
            ValueError: For a name that is no text or is enrolled, no image, embeddings with a NaN,
                or such that add up to nothing.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"`name` must be a text. Received: name={name!r}")
        if name in self._enrolled and not as_bool(overwrite, "overwrite"):
            raise ValueError(
                "`name` must be new; overwrite=True replaces who is enrolled by it. "
                f"Received: name={name!r}"
            )
        total = self._sound(images, batch_size, verbose).sum(axis=0, keepdims=True)
        if not total.any():
            raise ValueError(f"`images` must have embeddings other than zeros. Received: {name=}")
        self._enrolled[name] = unit_vectors(total)[0]

    def remove(self, name):
        """Forgets who is enrolled by a name.

        Raises:
            ValueError: If nobody is.
        """
        if name not in self._enrolled:
            raise ValueError(f"`name` must be one of `names`. Received: name={name!r}")
        del self._enrolled[name]

    def search(self, images, k=5, batch_size=32, verbose=0):
        """Who is enrolled and looks most alike.

        Args:
            images, batch_size, verbose: As in `embed`.
            k: How many to return, at most; those below the threshold are told by `same`.

        Returns:
            List of `Match`, best first; of a batch a list of such for each image. Of equal scores
            the earlier enrolled is first.

        Raises:
            ValueError: Where nobody is enrolled, for a `k` below 1, and embeddings with a NaN.
        """
        k = as_integer(k, "k")
        if not self._enrolled:
            raise ValueError("`search` needs somebody to find: call `enroll` first. Received: none")
        single = _batch(images)[1]
        scores = self._sound(images, batch_size, verbose) @ self._gallery().T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found = [
            [Match(self.names[i], float(row[i]), bool(row[i] >= self.threshold)) for i in best]
            for row, best in zip(scores, order, strict=True)
        ]
        return found[0] if single else found

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "threshold": self.threshold,
            "flip": self.flip,
            "value_range": self.value_range,
            "names": list(self.names),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        names = config.pop("names")
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"), custom_objects)
        verifier = cls(encoder, **config)
        verifier._enrolled = dict.fromkeys(names)
        return verifier

    def save_own_variables(self, store):
        """Puts the embeddings of who is enrolled into a `.keras` file."""
        if self._enrolled:
            store[GALLERY] = self._gallery()

    def load_own_variables(self, store):
        """Takes the embeddings of who is enrolled out of a `.keras` file."""
        gallery = np.array(store[GALLERY]) if GALLERY in store else np.zeros((0, 0), "float32")
        if gallery.ndim != 2 or len(gallery) != len(self.names) or not np.isfinite(gallery).all():
            raise ValueError(
                "The file must hold a finite embedding for each name. "
                f"Received: {len(self.names)} names, embeddings of shape {gallery.shape}"
            )
        self._enrolled = dict(zip(self.names, gallery, strict=True))

    def _gallery(self):
        return np.stack(list(self._enrolled.values()))

    def _sound(self, images, batch_size, verbose):
        """Embeddings, none of which may have a NaN."""
        embeddings = self.embed(images, batch_size, verbose)
        bad = int((~np.isfinite(embeddings)).any(axis=1).sum())
        if bad or not len(embeddings):
            raise ValueError(
                "`images` must be at least one, with finite embeddings. "
                f"Received: {len(embeddings)} images, {bad} with embeddings that are not finite"
            )
        return embeddings


def _batch(images):
    """Images as a batch, and whether it was one image, or the path of one."""
    if are_paths(images):
        single = isinstance(images, (str, bytes)) or hasattr(images, "__fspath__")
        return [images] if single else images, single
    if len(getattr(images, "shape", ())) == 3:
        return to_numpy(images)[None], True
    return images, False


def _embed_one(encoder, images):
    return encoder(images, training=False)
