"""What a reader of probes and their gallery stands on: MATLAB files list both."""

import os

import numpy as np

from keras_resample.arguments import check_choice
from keras_resample.datasets.files.matlab_file import matlab_file, matlab_names
from keras_resample.datasets.files.text_lines import inner_path
from keras_resample.datasets.recognition.image_folder import identity_folders, images_in


def identification_files(path, part, folders, lists, strangers, reader):
    """The images of one part.

    Args:
        path: the folder of all of them.
        part: `"train"`, a key of `lists`, or the first of `strangers`.
        folders: that of the training set, which has a folder an identity, and of the test set.
        lists: of each listed part its folder, its list, and the variables there that hold the
            names of the images and the numbers of their identities.
        strangers: the part whose images are of nobody in `lists`, and its folder. They are the
            last class, named as the part.
        reader: name of the public function, for errors.

    Returns:
        `(files, identities, class_names)`, the last one `None` for the training set.
    """
    check_choice(part, "part", ("train", *lists, strangers[0]))
    train, test = (os.path.join(path, folder) for folder in folders)
    if part == "train":
        return *identity_folders(train), None
    images = {name: _listed(test, *lists[name], reader) for name in lists}
    known = {identity for listed in images.values() for _, identity in listed}
    class_names = [*map(str, sorted(known)), strangers[0]]
    if part not in lists:
        files = images_in(os.path.join(test, strangers[1]))
        return files, [part] * len(files), class_names
    files, identities = zip(*images[part], strict=True)
    return list(files), [str(identity) for identity in identities], class_names


def _listed(path, folder, listed, names, identities, reader):
    """`(file, identity)` of each image in a list."""
    listed = os.path.join(path, listed)
    variables = matlab_file(listed, reader)
    images = matlab_names(variables, names, listed).ravel()
    numbers = np.atleast_1d(np.asarray(variables.get(identities)))
    if numbers.shape != images.shape or not _are_whole(numbers):
        raise ValueError(
            f"`{identities}` must be whole numbers, one for each of the {len(images)} images in "
            f"`{names}`. Received: file {listed!r}"
        )
    folder = os.path.join(path, folder)
    return [
        (inner_path(folder, image, listed), int(number))
        for image, number in zip(images, numbers, strict=True)
    ]


def _are_whole(numbers):
    is_number = numbers.dtype.kind in "iuf"
    return is_number and np.all(np.isfinite(numbers) & (numbers == np.round(numbers)))
