"""Writes images of identities as `.rec` and `.idx` files."""

import os

import numpy as np

from keras_resample.datasets.base.identity_dataset import as_labels
from keras_resample.datasets.files.encoding import encoded_image
from keras_resample.datasets.files.record_file import (
    FRAME,
    HEADER,
    LARGEST_RECORD,
    LENGTH_BITS,
    MAGIC,
    MAGIC_BYTES,
)
from keras_resample.files import whole


def write_records(path, images, labels):
    """Writes a training set that `FaceRecords`, insightface and MXNet read.

    Record 0 is the header, records 1 to n are the images in the order of their labels (and in
    the given order within a label), and one record for each identity, with the numbers of its
    first image and of the one after its last, follows. The index has the same name with the
    ending `.idx`. Both files appear whole or not at all.

    Args:
        path: the `.rec` file; an existing one is replaced.
        images: sequence of n images: uint8 arrays `(h, w)`, `(h, w, 1)` or `(h, w, 3)`, RGB,
            which are stored as PNG (without loss), or the bytes of encoded images (JPEG,
            PNG), which are stored as they are.
        labels: integers `(n,)`, the identity of each image, in `[0, 2**24)`.

    Raises:
        ImportError: if arrays are to be encoded and Pillow is not installed.
        OSError: if the files cannot be written.
        ValueError: for images or labels of another kind, or another number of them.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> kr.datasets.write_records("faces.rec", np.zeros((4, 16, 16), "uint8"), [0, 1, 0, 1])
    >>> kr.datasets.FaceRecords("faces.rec").labels.tolist()
    [0, 0, 1, 1]
    """
    path = os.fspath(path)
    stem, ending = os.path.splitext(path)
    if ending != ".rec":
        raise ValueError(f"`path` must end in '.rec'. Received: path={path!r}")
    labels = as_labels(labels)
    if len(images) != len(labels):
        raise ValueError(
            "`images` and `labels` must have the same length. "
            f"Received: {len(images)} images and {len(labels)} labels"
        )
    # The files hold labels and record numbers as float32.
    if max(labels.max(), len(labels) + 1) >= 1 << 24:
        raise ValueError(
            "`labels` must lie below 2**24, and so must their number. "
            f"Received: labels up to {labels.max()}, {len(labels)} of them"
        )
    order = np.argsort(labels, kind="stable")
    identities, first = np.unique(labels[order], return_index=True)
    stop = len(labels) + 1
    bounds = np.append(first + 1, stop)
    with (
        whole(path, stem + ".idx") as parts,
        open(parts[0], "wb") as rec,
        open(parts[1], "wb") as idx,
    ):
        _write(rec, idx, 0, _labelled((stop, stop + len(identities)), 0))
        for key, image in enumerate(order, start=1):
            body = encoded_image(images[image], int(image), "write_records")
            header = HEADER.pack(0, float(labels[image]), key, 0)
            _write(rec, idx, key, header + body)
        for identity in range(len(identities)):
            key = stop + identity
            _write(rec, idx, key, _labelled(bounds[identity : identity + 2], key))


def _labelled(values, key):
    """A record of two labels and no image."""
    return HEADER.pack(len(values), 0.0, key, 0) + np.asarray(values, "<f4").tobytes()


def _write(rec, idx, key, record):
    if len(record) > LARGEST_RECORD // 2:
        raise ValueError(
            f"`images` must have at most {LARGEST_RECORD // 2} encoded bytes each. "
            f"Received: {len(record)} bytes for record {key}"
        )
    idx.write(b"%d\t%d\n" % (key, rec.tell()))
    parts = _split(record)
    for number, part in enumerate(parts):
        kind = 0 if len(parts) == 1 else 1 if number == 0 else 3 if number == len(parts) - 1 else 2
        rec.write(FRAME.pack(MAGIC, kind << LENGTH_BITS | len(part)) + part)
    rec.write(bytes(-len(parts[-1]) % 4))


def _split(record):
    """The record cut at each magic number that stands at a multiple of 4."""
    parts, start, place = [], 0, record.find(MAGIC_BYTES)
    while place >= 0:
        if place % 4 == 0:
            parts.append(record[start:place])
            start = place + 4
            place = record.find(MAGIC_BYTES, start)
        else:
            place = record.find(MAGIC_BYTES, place + 1)
    return [*parts, record[start:]]
