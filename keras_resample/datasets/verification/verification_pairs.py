"""Verification sets in `.bin` files: LFW, CFP-FP, AgeDB-30 and others, packed by insightface."""

import numpy as np

from keras_resample.arguments import as_size, check_file
from keras_resample.datasets.base.image_pairs import ImagePairs, sound_pairs
from keras_resample.datasets.files.contained_image import ContainedImage
from keras_resample.datasets.files.image_decoding import as_channels, pillow
from keras_resample.datasets.files.mapped_file import MappedFile
from keras_resample.datasets.files.record_file import LARGEST_RECORD
from keras_resample.datasets.files.screening import as_verify
from keras_resample.datasets.verification.pair_pickle import Array, PairPickle, Span


def verification_pairs(
    path,
    size=None,
    channels=3,
    batch_size=32,
    on_error="raise",
    verify=None,
    progress=False,
    value_range=(0.0, 1.0),
    data_format=None,
    **kwargs,
):
    """The pairs of a `.bin` verification set.

    Such a file is a pickle of a list of 2 n encoded images and a list of n booleans. What is read
    of it are lists, tuples, booleans, integers, byte strings and one-dimensional numpy arrays of
    uint8 and bool (pickle protocols 1 to 5, of Python 2 or 3). Anything else in it, such as a name
    to import, is refused and never run. The images stay in
    the file until they are read. The file must not change meanwhile.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the file.
        size: `(height, width)` to resize to (bilinear, antialiased). Default: the size of the
            first image, or of most images with `on_error="skip"`; then an image of another size
            is an error.
        channels: 3 (RGB) or 1 (grey).
        batch_size: images in a batch of `images`.
        on_error: what a damaged image does. `"raise"`: an error with its number, the file and
            what is wrong. `"skip"`: its pair is left out, one warning gives the number of
            images, and `skipped` lists `(file, reason)`.
        verify: whether to decode every image at construction, and to compare their sizes where
            there is no `size`. Default: with `on_error="skip"` only.
        progress: whether to show a progress bar meanwhile.
        value_range: range of the values, as in `ImageDataset`; published face networks want
            `(-1, 1)`, which is `(p / 255 - 0.5) / 0.5` of pixels `p`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Returns:
        An `ImagePairs`: `images`, batches of the 2 n images, pair i in places 2 i and 2 i + 1,
        and `same`, `(n,)` bool.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if there is no such file.
        ValueError: for a file that is no such pickle, is truncated, or holds anything else; for
            a damaged image (`on_error="raise"`); for a wrong argument.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.zeros((4, 16, 16, 3), "uint8")
    >>> kr.datasets.write_verification_pairs("lfw.bin", images, same=[True, False])
    >>> pairs = kr.datasets.verification_pairs("lfw.bin", data_format="channels_last")
    >>> pairs.images[0].shape, pairs.same.tolist()
    ((4, 16, 16, 3), [True, False])
    """
    verify = as_verify(verify, on_error, progress)
    channels = as_channels(channels)
    size = None if size is None else as_size(size)
    pillow("verification_pairs")
    check_file(path, "a .bin file")
    file = MappedFile(path)
    try:
        spans, same = _images_and_same(PairPickle(file.bytes).value(), file.bytes)
    except ValueError as error:
        raise ValueError(
            "`path` must be a pickle of a list of 2 n encoded images and a list of n booleans: "
            f"{error}. Received: path={str(path)!r}"
        ) from error
    image = PackedImage(file, size, channels, np.array(spans, "int64"))
    good, skipped = sound_pairs(image, len(same), on_error, verify, progress)
    image.select(np.repeat(good, 2))
    image.size = image.size or image.stored_size(0)
    return ImagePairs(
        image,
        same[good],
        image_shape=(*image.size, channels),
        skipped=skipped,
        batch_size=batch_size,
        value_range=value_range,
        data_format=data_format,
        **kwargs,
    )


class PackedImage(ContainedImage):
    """Decodes an image of a `.bin` file from its index; `spans` (n, 3) say where each stands."""

    def __init__(self, file, size, channels, spans):
        super().__init__(file, size, channels)
        self.spans = spans
        self.numbers = np.arange(len(spans))

    def name(self, index):
        """The image, as errors name it."""
        return f"image {self.numbers[index]}"

    def encoded(self, index):
        """The bytes of an image."""
        start, stop, latin = (int(value) for value in self.spans[index])
        if stop - start > LARGEST_RECORD:
            raise ValueError(f"an encoded image may have {LARGEST_RECORD} bytes")
        data = self.file.bytes[start:stop]
        # Protocol 2 of Python 3 writes bytes as a string, UTF-8 of their Latin-1 reading.
        return data.decode("utf-8").encode("latin-1") if latin else data

    def select(self, chosen):
        """Keeps some of the images; errors go on to name their numbers in the file."""
        self.spans, self.numbers = self.spans[chosen], self.numbers[chosen]


def _images_and_same(value, data):
    if type(value) not in (list, tuple) or len(value) != 2:
        raise ValueError("it is no tuple of two lists")
    images, same = value
    if type(images) not in (list, tuple) or not images:
        raise ValueError("its first part is no list of images")
    spans = []
    for number, image in enumerate(images):
        span = image.span if isinstance(image, Array) and image.code == "u1" else image
        if not isinstance(span, Span) or span.text:
            raise ValueError(f"image {number} is no byte string")
        spans.append((span.start, span.stop, span.latin))
    if isinstance(same, Array) and same.code == "b1":
        same = list(data[same.span.start : min(same.span.stop, same.span.start + len(spans))])
    if type(same) not in (list, tuple):
        raise ValueError("its second part is no list of booleans")
    for number, one in enumerate(same):
        if not isinstance(one, (bool, int)) or one not in (0, 1):
            raise ValueError(f"entry {number} of its second part is no boolean")
    if len(spans) != 2 * len(same):
        raise ValueError(f"it has {len(spans)} images and {len(same)} booleans")
    return spans, np.array(same, bool)
