"""The pairs of QMUL-SurvFace, from its two lists in MATLAB files."""

import os

from keras_resample.datasets.files.matlab_file import matlab_file, matlab_names
from keras_resample.datasets.files.text_lines import inner_path
from keras_resample.datasets.verification.file_pairs import file_pairs

LISTS = {"positive_pairs_names": True, "negative_pairs_names": False}


def surv_face_pairs(path, **kwargs):
    """The pairs of QMUL-SurvFace, 5,320 of one person and as many of two.

    Expects, in `Face_Verification_Test_Set/`, `positive_pairs_names.mat` and
    `negative_pairs_names.mat`, each with a cell array (n, 2) of its own name, and the images in
    `verification_images/`.

    The positive pairs come first, so this is no set for `kr.metrics.lfw_accuracy`, whose folds
    need both kinds: see `tar_at_far` and `auc`.

    Needs Pillow and SciPy: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds `Face_Verification_Test_Set`, as in `surv_face`.
        **kwargs: as in `pair_list`; the images have different sizes, so give `size`.

    Returns:
        An `ImagePairs`.

    Raises:
        ImportError: if Pillow or SciPy is not installed.
        FileNotFoundError: if a list is missing.
        ValueError: for a damaged list, a bad or missing image file (`on_error="raise"`), sizes that
            differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> from scipy.io import savemat
    >>> import keras_resample as kr
    >>> test = "SurvFace/Face_Verification_Test_Set"
    >>> os.makedirs(f"{test}/verification_images")
    >>> Image.new("RGB", (20, 24)).save(f"{test}/verification_images/1.jpg")
    >>> for name in ("positive_pairs_names", "negative_pairs_names"):
    ...     savemat(f"{test}/{name}.mat", {name: np.array([["1.jpg", "1.jpg"]], object)})
    >>> kr.datasets.surv_face_pairs("SurvFace").same.tolist()
    [True, False]

    Reference:
        Cheng et al., Surveillance Face Recognition Challenge, arXiv:1804.09691, 2018.
    """
    folder = os.path.join(path, "Face_Verification_Test_Set")
    images = os.path.join(folder, "verification_images")
    pairs = []
    for variable, same in LISTS.items():
        listed = os.path.join(folder, f"{variable}.mat")
        names = matlab_names(matlab_file(listed, "surv_face_pairs"), variable, listed)
        if names.shape[-1] != 2:
            raise ValueError(
                f"`{variable}` must be names (n, 2). Received: shape {names.shape}, file {listed!r}"
            )
        for pair in names.reshape(-1, 2):
            pairs.append((*(inner_path(images, name, listed) for name in pair), same))
    return file_pairs(pairs, path, "surv_face_pairs", **kwargs)
