"""Training sets of faces in `.rec` files, as insightface distributes them."""

import math
import os

import numpy as np

from keras_resample.arguments import as_size
from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.files.contained_image import ContainedImage
from keras_resample.datasets.files.image_decoding import as_channels, pillow
from keras_resample.datasets.files.record_file import RecordFile, read_index
from keras_resample.datasets.files.screening import as_verify, screen, warn_of_skipped

# float32 labels, as the files hold them, count no further.
EXACT_FLOAT = 1 << 24


class FaceRecords(IdentityDataset):
    """Images of identities from a `.rec`/`.idx` pair (MXNet indexed RecordIO).

    The format of insightface's training sets: MS1MV2, MS1MV3, Glint360K, the packed WebFace
    sets. MXNet is not needed. The `.rec` file is memory-mapped and read record by record;
    images are decoded by Pillow when they are read, in the workers.

    Record 0 may be a header that holds the number of the first record that is no image; the
    records from there on (identities, without an image) are not read. Without such a header
    every record is an image. Labels are taken as stored, in `[0, num_classes)`. A file
    `property` beside the records (`classes,height,width`) gives the number of classes and the
    size.

    At construction the index and the header of every record are checked, one pass over the
    file without decoding: a truncated file, an index of another file, a magic number, length
    or label that is wrong are found there. A damaged image is found when it is read, or at
    construction with `verify`. Memory: 28 bytes a record. The file must not change meanwhile.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the `.rec` file, or a folder with `train.rec`. The index has the same name with
            the ending `.idx`.
        size: `(height, width)` to resize to (bilinear, antialiased). Default: the size in
            `property`, else that of the first image, or of most images with
            `on_error="skip"`; then an image of another size is an error.
        channels: 3 (RGB) or 1 (grey).
        batch_size, shuffle, seed: as in `IdentityDataset`.
        on_error: what a damaged record does. `"raise"`: an error with its number, the file
            and what is wrong. `"skip"`: it is left out, as is one that the index lacks, one
            warning gives the number, and `skipped` lists `(file, reason)`.
        verify: whether to decode every image at construction, and to compare their sizes where
            there is no `size`. Default: with `on_error="skip"` only.
        progress: whether to show a progress bar meanwhile.
        value_range: range of the values, as in `ImageDataset`; published face networks want
            `(-1, 1)`, which is `(p / 255 - 0.5) / 0.5` of pixels `p`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a file is missing.
        ValueError: for a damaged index, `property` or record, a label out of range, a file
            without an image, or a wrong argument.

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "train.rec")
    ...     kr.datasets.write_records(path, np.zeros((6, 16, 16, 3), "uint8"), [0, 0, 1, 1, 2, 2])
    ...     faces = kr.datasets.FaceRecords(folder, batch_size=4, data_format="channels_last")
    ...     images, labels = faces[0]
    >>> images.shape, float(images.min()), faces.num_classes
    ((4, 16, 16, 3), 0.0, 3)

    Reference:
        J. Guo, J. Deng, InsightFace, https://github.com/deepinsight/insightface
    """

    def __init__(
        self,
        path,
        size=None,
        channels=3,
        batch_size=32,
        shuffle=True,
        seed=0,
        on_error="raise",
        verify=None,
        progress=False,
        value_range=(0.0, 1.0),
        data_format=None,
        **kwargs,
    ):
        verify = as_verify(verify, on_error, progress)
        channels = as_channels(channels)
        size = None if size is None else as_size(size)
        pillow("FaceRecords")
        rec, idx = _file_pair(path)
        num_classes, stored_size = _property(os.path.join(os.path.dirname(rec), "property"))
        file = RecordFile(rec)
        keys, starts, ends = read_index(idx, file.size)
        keys, starts, ends, all_images, gaps = _without_header(file, keys, starts, ends, on_error)

        labels, lengths = file.headers(starts, ends)
        # Where no header tells, a record without a body is no image but an identity.
        chosen = (lengths != 0) | all_images
        keys, starts, ends, labels, lengths = (
            values[chosen] for values in (keys, starts, ends, labels, lengths)
        )
        if len(keys) == 0:
            raise ValueError(f"`path` must hold images. Received: path={rec!r} with none")
        record = RecordImage(file, size, channels, keys, starts, ends, num_classes)
        sound = (lengths > 0) & (labels >= 0) & (labels == np.floor(labels))
        sound &= labels < (num_classes or EXACT_FLOAT)
        good, skipped, labels = _sound_records(record, sound, labels, on_error)
        skipped = gaps + skipped
        # Before any is skipped for its image: the last identity may have no other.
        num_classes = num_classes or int(labels.max(initial=0)) + 1
        record.size = size or stored_size
        if len(good) and verify:
            decodable, undecodable = record.screened(good, on_error, progress)
            labels, good = labels[np.isin(good, decodable)], decodable
            skipped += undecodable
        if not len(good):
            raise ValueError(
                f"`path` must hold a readable image. Received: path={rec!r}, {len(skipped)} "
                f"records skipped, the first one: {skipped[0][1]}"
            )
        warn_of_skipped(skipped, "records", stacklevel=3)
        record.select(good)
        record.size = record.size or record.stored_size(0)
        super().__init__(
            record,
            labels.astype("int32"),
            image_shape=(*record.size, channels),
            num_classes=num_classes,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            value_range=value_range,
            data_format=data_format,
            **kwargs,
        )
        self.skipped = skipped


class RecordImage(ContainedImage):
    """Decodes the image of one record from its index."""

    def __init__(self, file, size, channels, keys, starts, ends, num_classes):
        super().__init__(file, size, channels)
        self.keys, self.starts, self.ends = keys, starts, ends
        self.num_classes = num_classes

    def name(self, index):
        """The record, as errors name it."""
        return f"record {self.keys[index]}"

    def encoded(self, index):
        """The bytes of an image."""
        return self._read(index)[1]

    def label(self, index):
        """The label of a record that the quick pass over the headers did not understand."""
        return self.named(index, self._label)

    def select(self, indices):
        """Keeps some of the records."""
        self.keys, self.starts, self.ends = (
            values[indices] for values in (self.keys, self.starts, self.ends)
        )

    def _read(self, index):
        return self.file.read(int(self.starts[index]), int(self.ends[index]))

    def _label(self, index):
        (label, *_), body = self._read(index)
        if not body:
            raise ValueError("it holds no image")
        limit = self.num_classes or EXACT_FLOAT
        if not (0 <= label < limit and label == math.floor(label)):
            raise ValueError(f"its label {label} is no integer in [0, {limit})")
        return label


def _file_pair(path):
    rec = os.path.join(path, "train.rec") if os.path.isdir(path) else os.fspath(path)
    idx = os.path.splitext(rec)[0] + ".idx"
    for file, kind in ((rec, "a .rec file or a folder with train.rec"), (idx, "its .idx file")):
        if not os.path.isfile(file):
            raise FileNotFoundError(
                f"`path` must be {kind}, and {file!r} is no file. Received: path={str(path)!r}"
            )
    return rec, idx


def _property(file):
    """Number of classes and `(height, width)`, or None for both."""
    if not os.path.isfile(file):
        return None, None
    with open(file, encoding="utf-8", errors="replace") as stream:
        text = stream.read(256).strip()
    try:
        classes, height, width = (int(number) for number in text.split(","))
        if min(classes, height, width) < 1 or classes > EXACT_FLOAT:
            raise ValueError("out of range")
    except ValueError as error:
        raise ValueError(
            "The file beside the records must be 'classes,height,width', positive integers. "
            f"Received: {file!r} with {text!r}"
        ) from error
    return classes, (height, width)


def _without_header(file, keys, starts, ends, on_error):
    """The records between the header and the identities, whether a header tells them, and gaps."""
    if keys[0] != 0:
        return keys, starts, ends, False, []
    try:
        labels, body = file.read(int(starts[0]), int(ends[0]))
    except ValueError as error:
        raise ValueError(
            f"Record 0 of {file.path!r} cannot be read, and it may say which records are images: "
            f"{error}. Received: a record at byte {starts[0]} of {file.size}"
        ) from error
    if body:
        return keys, starts, ends, False, []
    stop = labels[0]
    if not (1 <= stop <= EXACT_FLOAT * 64 and stop == math.floor(stop)):
        raise ValueError(
            "Record 0 must hold the number of the first record that is no image. "
            f"Received: {stop} in {file.path!r}"
        )
    # Beyond 2**24 its float32 is rounded; there the empty bodies tell.
    if stop > EXACT_FLOAT:
        return keys[1:], starts[1:], ends[1:], False, []
    images = slice(1, np.searchsorted(keys, int(stop)))
    missing = np.setdiff1d(np.arange(1, int(stop)), keys[images])
    if len(missing) and on_error == "raise":
        raise ValueError(
            f"The index must list the records 1 to {int(stop) - 1} that record 0 of {file.path!r} "
            "announces; on_error='skip' does without. Received: an index without "
            f"{len(missing)} of them, the first {missing[0]}"
        )
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if len(missing) else []
    gaps = [(file.path, f"records {run[0]} to {run[-1]}: not in the index") for run in runs]
    return keys[images], starts[images], ends[images], True, gaps


def _sound_records(record, sound, labels, on_error):
    """Indices and labels of the records with a sound header, and what was skipped."""
    # A record in parts is sound too, and only reading it tells its label.
    read, told, skipped = screen(record.label, record.place, np.flatnonzero(~sound), on_error)
    labels = labels.copy()
    labels[read] = told
    good = np.sort(np.concatenate([np.flatnonzero(sound), read]))
    return good, skipped, labels[good]
