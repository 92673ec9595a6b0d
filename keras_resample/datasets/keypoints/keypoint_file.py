"""Keypoints that stand in a file, as landmark detectors and data sets leave them."""

import collections
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_resample.arguments import as_integer, as_size, check_file
from keras_resample.datasets.files.image_decoding import image_header, name_errors
from keras_resample.datasets.files.text_lines import inner_path, text_lines, wrong_line
from keras_resample.datasets.keypoints.relative_keypoints import check_range

THREADS = 8


def keypoint_file(path, folder=None, image_size=None, num_keypoints=5):
    """Keypoints by image file, of a text file or `.npz` of keypoints in pixels.

    Three formats are known by their content:

    * lines `name x1 y1 ... x5 y5`, of white space or commas between them; `nan` is missing;
    * CelebA's `list_landmarks_align_celeba.txt`: the same, after a line with the number of images
      and one with the names of the columns;
    * an `.npz` with `files`, names `(n,)`, and `points`, numbers `(n, k, 2)`.

    Pixels have their centres at integers, as detectors count: `(pixel + 0.5) / (width, height)` is
    the relative place.

    Args:
        path: the file.
        folder: folder that the names in it are relative to. Default: that of the file.
        image_size: `(height, width)` of all images in which the pixels are counted. Default: what
            the header of each image says (turned as EXIF says), which needs Pillow.
        num_keypoints: how many keypoints a line has.

    Returns:
        A dict from the path of each image to float32 `(num_keypoints, 2)`, relative (x, y), in the
        order of the file: what `keras_resample.datasets.KeypointDataset` takes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a line of another form, with its number; a name that comes twice or leads
            out of the folder; an image that cannot be read; keypoints far outside of their image.

    Example:

    >>> import keras_resample as kr
    >>> with open("points.txt", "w") as file:
    ...     _ = file.write("ann/1.jpg 38.3 51.7 73.5 51.5 56.0 71.7 41.5 92.4 70.7 92.2\\n")
    >>> points = kr.datasets.keypoint_file("points.txt", "faces", image_size=(112, 112))
    >>> {name.replace("\\\\", "/"): found.shape for name, found in points.items()}
    {'faces/ann/1.jpg': (5, 2)}

    Reference:
        Liu et al., "Deep learning face attributes in the wild", ICCV 2015 (CelebA).
    """
    count = as_integer(num_keypoints, "num_keypoints")
    image_size = None if image_size is None else as_size(image_size, "image_size")
    folder = os.path.dirname(os.path.abspath(path)) if folder is None else os.fspath(folder)
    check_file(path, "a file of keypoints")
    read = _read_npz if zipfile.is_zipfile(path) else _read_lines
    names, points = read(path, count)
    (name, times), *_ = collections.Counter(names).most_common(1)
    if times > 1:
        raise ValueError(f"{os.fspath(path)!r} must name an image once. Received: {name!r} twice")
    files = [inner_path(folder, name, path) for name in names]
    if image_size is None:
        with ThreadPoolExecutor(THREADS) as threads:
            sizes = np.array(list(threads.map(_size, files)))
    else:
        sizes = np.array([image_size] * len(files))
    points = (points + 0.5) / sizes[:, None, ::-1]
    for file, of_image in zip(files, points, strict=True):
        check_range(of_image, f"keypoints of {file}")
    return dict(zip(files, points.astype("float32"), strict=True))


def _read_lines(path, count):
    names, points, expected = [], [], None
    lines = list(text_lines(path))
    if len(lines) > 1 and lines[0][1].isdecimal():  # CelebA's two lines of heading
        expected, lines = int(lines[0][1]), lines[2:]
    for number, line in lines:
        fields = line.replace(",", " ").rsplit(None, 2 * count)
        try:
            values = [float(field) for field in fields[1:]]
        except ValueError:
            values = []
        if len(values) != 2 * count or np.isinf(values).any() or _ends_in_a_number(fields[0]):
            must = f"be the name of an image and {count} times x y in pixels"
            raise wrong_line(path, number, must, line)
        names.append(fields[0])
        points.append(values)
    if not names or expected not in (None, len(names)):
        must = f"the {expected or ''} images that it announces".replace("  ", " ")
        raise ValueError(f"{os.fspath(path)!r} must hold {must}. Received: {len(names)} images")
    return names, np.array(points).reshape(-1, count, 2)


def _ends_in_a_number(name):
    """Whether a name is followed by a number, of a line that has more of them."""
    _, *words = name.split()
    try:
        return bool(words) and float(words[-1]) is not None
    except ValueError:
        return False


def _read_npz(path, count):
    try:
        with np.load(path, allow_pickle=False) as file:
            names, points = file["files"], file["points"]
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`path` must be an undamaged .npz file with `files` and `points`. "
            f"Received: path={os.fspath(path)!r}: {error}"
        ) from error
    shape = (len(names), count, 2) if names.ndim == 1 else ()
    if (
        not len(names)
        or names.dtype.kind != "U"
        or points.shape != shape
        or points.dtype.kind not in "fiu"
    ):
        raise ValueError(
            f"`path` must hold `files`, n names, and `points`, numbers (n, {count}, 2). Received: "
            f"path={os.fspath(path)!r}, files of shape {names.shape} and points {points.shape}"
        )
    return names.tolist(), points.astype("float64")


def _size(file):
    return name_errors(file, lambda: image_header(file)[0])
