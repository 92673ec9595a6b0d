"""Image files that a command is given, or finds in folders."""

import os

from keras_resample.compare.engine.checks import SettingError
from keras_resample.datasets.files.image_decoding import FileImage
from keras_resample.datasets.files.screening import screen
from keras_resample.datasets.recognition.image_folder import images_in


def files_of(paths, name):
    """The files among `paths`, and those in the folders among them, in their order.

    Of a folder come its image files, sorted by name, and then those of its folders. What is
    hidden is left out, as by `keras_resample.datasets.image_folder`; links are followed.

    Raises:
        SettingError: for a folder without images, by the `name` of the setting.
    """
    files = []
    for path in paths:
        if os.path.isdir(path):
            found = list(_walk(path, ()))
            if not found:
                raise SettingError(name, "must be folders that hold image files", path)
            files += found
        else:
            files.append(path)
    return files


def readable(files, name, skip=False, way_out="", progress=False):
    """Those of the files that hold an image; every one is decoded to see.

    Args:
        files: list of paths.
        name: of the setting, for errors.
        skip: whether the others are left out.
        way_out: what the error says of that, where they are not.
        progress: whether to show a progress bar.

    Returns:
        `(files, skipped)`, of which the latter is a list of `(file, reason)`.

    Raises:
        SettingError: for one that cannot be read, unless `skip`, or where none can.
    """
    image = FileImage(files, size=None, channels=3)
    good, _, skipped = screen(
        lambda index: image.header(index, verify=True),
        lambda index: (files[index], ""),
        range(len(files)),
        "skip",
        progress,
    )
    if skipped and not (skip and len(good)):
        file, reason = skipped[0]
        more = "" if len(skipped) == 1 else f", the first of {len(skipped)}"
        must = "must be an image that can be read" + ("" if skip else way_out)
        raise SettingError(name, must, f"{file} ({reason}){more}")
    return [files[index] for index in good], skipped


def _walk(folder, above):
    above = (*above, os.path.realpath(folder))
    yield from images_in(folder)
    for name in sorted(os.listdir(folder)):
        inside = os.path.join(folder, name)
        is_new = not name.startswith(".") and os.path.realpath(inside) not in above
        if is_new and os.path.isdir(inside):
            yield from _walk(inside, above)
