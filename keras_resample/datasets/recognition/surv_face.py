"""QMUL-SurvFace."""

from keras_resample.datasets.recognition.identification_files import identification_files
from keras_resample.datasets.recognition.identity_files import identity_files

# Of the training set and of the test set.
FOLDERS = ("training_set", "Face_Identification_Test_Set")
# Each listed part with its folder, its list, and the names and identities in it.
LISTS = {
    "gallery": ("gallery", "gallery_img_ID_pairs.mat", "gallery_set", "gallery_ids"),
    "probe": ("mated_probe", "mated_probe_img_ID_pairs.mat", "mated_probe_set", "mated_probe_ids"),
}
UNMATED = ("unmated", "unmated_probe")


def surv_face(path, part="train", **kwargs):
    """QMUL-SurvFace, faces that surveillance cameras took from afar.

    Expects `training_set/` with a folder an identity and, in `Face_Identification_Test_Set/`, the
    images in `gallery/`, `mated_probe/` and `unmated_probe/`, with `gallery_img_ID_pairs.mat`
    (`gallery_set`, `gallery_ids`) and `mated_probe_img_ID_pairs.mat` (`mated_probe_set`,
    `mated_probe_ids`).

    The protocol is open-set: of the probes some have mates in the gallery and the others, the
    unmated ones, have none; see `kr.metrics.tpir_at_fpir` and `tpir_auc`, with the labels of both
    one after the other. The mated ones alone are a closed set for `cmc`. The code of the
    Branch-to-Trunk Network averages the embeddings of each identity in the gallery first.

    The faces are 6 x 5 to 124 x 106 pixels large. One of them at its native size is
    `image_files(dataset.paths[i])[0]`.

    Needs Pillow and SciPy: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds `training_set` and `Face_Identification_Test_Set`.
        part: `"train"` (5,319 identities), `"gallery"` (60,294 images), `"probe"` (60,423 mated
            ones), or `"unmated"` (121,736 probes).
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `True` for `"train"` alone by default.

    Returns:
        An `IdentityDataset`. `class_names` are the identities; gallery and probes have the same, so
        that equal labels are one person. The last one, `"unmated"`, is the label of all unmated
        probes, who are many people.

    Raises:
        ImportError: if Pillow or SciPy is not installed.
        FileNotFoundError: if a list is missing.
        NotADirectoryError: if `training_set` or `unmated_probe` is missing.
        ValueError: for a damaged list, a bad image file (`on_error="raise"`), sizes that differ
            where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> from scipy.io import savemat
    >>> import keras_resample as kr
    >>> test = "SurvFace/Face_Identification_Test_Set"
    >>> for part in ("gallery", "mated_probe", "unmated_probe"):
    ...     os.makedirs(f"{test}/{part}")
    ...     Image.new("RGB", (20, 24)).save(f"{test}/{part}/1.jpg")
    >>> for part in ("gallery", "mated_probe"):
    ...     savemat(f"{test}/{part}_img_ID_pairs.mat",
    ...             {f"{part}_set": np.array(["1.jpg"], object), f"{part}_ids": [7]})
    >>> gallery, probe, unmated = (
    ...     kr.datasets.surv_face("SurvFace", part) for part in ("gallery", "probe", "unmated"))
    >>> gallery.class_names, gallery.labels.tolist(), probe.labels.tolist()
    (['7', 'unmated'], [0], [0])
    >>> labels = np.concatenate([probe.labels, unmated.labels])
    >>> kr.metrics.tpir_at_fpir([[0.9], [0.2]], labels, gallery.labels, fpirs=1.0).tolist()
    1.0

    Reference:
        Cheng et al., Surveillance Face Recognition Challenge, arXiv:1804.09691, 2018.
    """
    files, identities, class_names = identification_files(
        path, part, FOLDERS, LISTS, UNMATED, "surv_face"
    )
    kwargs = {"shuffle": part == "train", **kwargs}
    return identity_files(files, identities, path, "surv_face", class_names=class_names, **kwargs)
