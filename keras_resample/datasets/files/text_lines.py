"""Lines of the field's text files, with their numbers."""

import ntpath
import os

import numpy as np

from keras_resample.arguments import check_file

LONGEST_LINE = 4096


def text_lines(path):
    """Yields `(line number, text)` of each line that is not blank.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a file that is not UTF-8 text in lines.
    """
    check_file(path, "a text file")
    with open(path, encoding="utf-8-sig") as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(LONGEST_LINE + 1)
            except UnicodeDecodeError as error:
                raise wrong_line(path, number, f"be UTF-8 text ({error.reason})", "bytes") from None
            if not line:
                return
            if len(line) > LONGEST_LINE:
                must = f"have at most {LONGEST_LINE} characters"
                raise wrong_line(path, number, must, "a longer one")
            if line.strip():
                yield number, line.strip()


def wrong_line(path, number, must, received):
    """The error of a line: where, what it must be, and what it is."""
    return ValueError(
        f"Line {number} of {os.fspath(path)!r} must {must}. Received: {received[:200]!r}"
    )


def keyed_lines(path, must="be a key not used before and a value"):
    """Values by their key, of lines `key value`, in their order; values may hold spaces.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a line of another form, or a key that comes twice.
    """
    values = {}
    for number, line in text_lines(path):
        fields = line.split(None, 1)
        if len(fields) != 2 or fields[0] in values:
            raise wrong_line(path, number, must, line)
        values[fields[0]] = fields[1]
    return values


def inner_path(folder, name, listed):
    """`folder/name`, where `name` is of a list and may have sub-folders, with `/` between them.

    Args:
        folder: where the named files are.
        name: what the list says.
        listed: path of the list, for errors.

    Raises:
        ValueError: for a name that leads out of the folder, so that a downloaded list cannot: an
            absolute one, or one with `..`, a drive or a backslash.
    """
    absolute = name.startswith("/") or ntpath.splitdrive(name)[0]
    if absolute or "\\" in name or ".." in name.split("/"):
        raise ValueError(
            f"{os.fspath(listed)!r} must name images inside of {os.fspath(folder)!r}. "
            f"Received: {name[:200]!r}"
        )
    return os.path.join(folder, name)


def integer_table(path, columns, width, dtype="int64"):
    """A file of lines of integers, read at once: `(lines, width)`.

    Raises:
        ValueError: for a file of anything else.
    """
    try:
        table = np.loadtxt(path, dtype=dtype, comments=None, ndmin=2)
        if table.shape[1] != width:
            raise ValueError(f"it has {table.shape[1]} columns")
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"Each line must be {width} integers, {columns}. Received: {os.fspath(path)!r}: {error}"
        ) from error
    return table
