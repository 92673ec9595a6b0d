"""VeRi-776."""

import os
import re

from keras_resample.arguments import check_choice
from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.recognition.identity_files import identity_files

# Each part with its list of names and its folder of images.
PARTS = {
    "train": ("name_train.txt", "image_train"),
    "query": ("name_query.txt", "image_query"),
    "gallery": ("name_test.txt", "image_test"),
}
# Identity, camera, and what tells the images of both apart.
NAME = re.compile(r"(\d+)_c(\d+)_\w+\.jpg")


def veri(path, part="train", **kwargs):
    """VeRi-776, vehicles under 20 cameras: 576 to train on, 200 to search.

    Expects `name_train.txt`, `name_query.txt`, `name_test.txt`, lists of names such as
    `0001_c001_00016450_0.jpg` (identity, camera), and the images in `image_train/`,
    `image_query/` and `image_test/`.

    The protocol is image to image: each of the 1,678 queries is searched in the 11,579 images of
    the gallery, without those of the same vehicle under the same camera; see
    `kr.metrics.mean_average_precision` and `cmc`, which take `query.cameras` and
    `gallery.cameras`.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds the lists.
        part: `"train"`, `"query"` or `"gallery"`.
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `True` for `"train"` alone by default.

    Returns:
        An `IdentityDataset` with `cameras`. `class_names` are the identities; query and gallery
        have the same, so that equal labels are one vehicle.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a list is missing.
        ValueError: for a name of another form, a bad image file (`on_error="raise"`), sizes that
            differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for short, folder, name in (("query", "query", "0002_c002_00030600_0.jpg"),
    ...                             ("test", "test", "0002_c011_00084280_0.jpg")):
    ...     os.makedirs(f"VeRi/image_{folder}")
    ...     Image.new("RGB", (20, 16)).save(f"VeRi/image_{folder}/{name}")
    ...     with open(f"VeRi/name_{short}.txt", "w") as file:
    ...         _ = file.write(name)
    >>> query, gallery = (kr.datasets.veri("VeRi", part) for part in ("query", "gallery"))
    >>> query.class_names, query.cameras.tolist(), gallery.cameras.tolist()
    (['0002'], [2], [11])

    Reference:
        Liu et al., A Deep Learning-Based Approach to Progressive Vehicle Re-identification for
        Urban Surveillance, ECCV 2016.
    """
    check_choice(part, "part", tuple(PARTS))
    images = _images(path, part)
    known = images
    if part != "train":
        known = _images(path, "query" if part == "gallery" else "gallery") + images
    names, identities, cameras = zip(*images, strict=True)
    return identity_files(
        [os.path.join(path, PARTS[part][1], name) for name in names],
        list(identities),
        path,
        "veri",
        class_names=sorted({identity for _, identity, _ in known}),
        cameras=cameras,
        **{"shuffle": part == "train", **kwargs},
    )


def _images(path, part):
    """`(name, identity, camera)` of each image of a part."""
    listed = os.path.join(path, PARTS[part][0])
    images = []
    for number, line in text_lines(listed):
        match = NAME.fullmatch(line)
        if match is None:
            raise wrong_line(listed, number, "be a name like 0001_c001_00016450_0.jpg", line)
        images.append((line, match[1], int(match[2])))
    if not images:
        raise ValueError(f"{listed!r} must list images. Received: an empty file")
    return images
