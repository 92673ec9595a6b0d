"""The pairs of Celebrities in Frontal-Profile, from its protocol folder."""

import os

from keras_resample.arguments import check_choice
from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.verification.file_pairs import file_pairs


def cfp_pairs(path, kind="FP", **kwargs):
    """The pairs of Celebrities in Frontal-Profile (CFP), from its own layout.

    Expects `Protocol/Pair_list_F.txt` and `Pair_list_P.txt` (lines `number path`, relative to
    `Protocol`) and `Protocol/Split/FP/01/same.txt`, `diff.txt` and so on (lines
    `frontal,profile`, numbers in these lists). The pairs come fold after fold, within a fold the
    same ones first, as `kr.metrics.lfw_accuracy(folds=10)` needs them.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder with `Protocol`.
        kind: `"FP"`, frontal to profile, or `"FF"`, frontal to frontal.
        **kwargs: as in `pair_list`; the images have different sizes, so give `size`.

    Returns:
        An `ImagePairs`.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a file of the protocol is missing.
        ValueError: for a line of another form, a bad or missing image file (`on_error="raise"`),
            sizes that differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> os.makedirs("cfp/Protocol/Split/FP/01")
    >>> Image.fromarray(np.zeros((12, 10), "uint8")).save("cfp/1.png")
    >>> for name, text in {"Pair_list_F": "1 ../1.png", "Pair_list_P": "1 ../1.png",
    ...                    "Split/FP/01/same": "1,1", "Split/FP/01/diff": "1,1"}.items():
    ...     with open(f"cfp/Protocol/{name}.txt", "w") as file:
    ...         _ = file.write(text)
    >>> kr.datasets.cfp_pairs("cfp").same.tolist()
    [True, False]

    Reference:
        Sengupta et al., Frontal to Profile Face Verification in the Wild, WACV 2016.
    """
    check_choice(kind, "kind", ("FP", "FF"))
    protocol = os.path.join(path, "Protocol")
    first = _image_list(protocol, "F")
    second = first if kind == "FF" else _image_list(protocol, "P")
    split = os.path.join(protocol, "Split", kind)
    if not os.path.isdir(split):
        raise FileNotFoundError(f"`path` must hold {split!r}. Received: path={str(path)!r}")
    pairs = []
    for fold in sorted(os.listdir(split)):
        if not fold.isdecimal():
            continue
        for name in ("same", "diff"):
            listed = os.path.join(split, fold, f"{name}.txt")
            for number, line in text_lines(listed):
                try:
                    one, other = (int(field) for field in line.split(","))
                    pairs.append((first[one], second[other], name == "same"))
                except (KeyError, ValueError):
                    must = "be two numbers of the lists of images"
                    raise wrong_line(listed, number, must, line) from None
    return file_pairs(pairs, path, "cfp_pairs", **kwargs)


def _image_list(protocol, letter):
    """Paths by their number."""
    path = os.path.join(protocol, f"Pair_list_{letter}.txt")
    images = {}
    for number, line in text_lines(path):
        fields = line.split(None, 1)
        if len(fields) != 2 or not fields[0].isdecimal() or int(fields[0]) in images:
            raise wrong_line(path, number, "be a number not used before and a path", line)
        images[int(fields[0])] = os.path.normpath(os.path.join(protocol, fields[1]))
    return images
