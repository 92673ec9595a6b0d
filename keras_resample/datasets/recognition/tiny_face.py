"""TinyFace."""

from keras_resample.datasets.recognition.identification_files import identification_files
from keras_resample.datasets.recognition.identity_files import identity_files

# Of the training set and of the test set.
FOLDERS = ("Training_Set", "Testing_Set")
# Each listed part with its folder, its list, and the names and identities in it.
LISTS = {
    "gallery": ("Gallery_Match", "gallery_match_img_ID_pairs.mat", "gallery_set", "gallery_ids"),
    "probe": ("Probe", "probe_img_ID_pairs.mat", "probe_set", "probe_ids"),
}
DISTRACTORS = ("distractors", "Gallery_Distractor")


def tiny_face(path, part="train", **kwargs):
    """TinyFace, small faces on photographs of the web.

    Expects `Training_Set/` with a folder an identity and, in `Testing_Set/`, the images in
    `Gallery_Match/`, `Gallery_Distractor/` and `Probe/`, with `gallery_match_img_ID_pairs.mat`
    (`gallery_set`, `gallery_ids`) and `probe_img_ID_pairs.mat` (`probe_set`, `probe_ids`).

    The protocol is closed-set: each probe is searched among the gallery and the distractors, who
    are other people; see `kr.metrics.cmc`, with the embeddings and labels of both one after the
    other. Without the distractors the numbers are much higher, and not those of the protocol.

    The faces have some 20 x 16 pixels, on average. One of them at its native size is
    `image_files(dataset.paths[i])[0]`.

    Needs Pillow and SciPy: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds `Training_Set` and `Testing_Set`.
        part: `"train"` (7,804 images of 2,570 identities), `"probe"` (3,728 images), `"gallery"`
            (4,443 images of the same people), or `"distractors"` (153,428 images).
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `True` for `"train"` alone by default.

    Returns:
        An `IdentityDataset`. `class_names` are the identities; probes and gallery have the same, so
        that equal labels are one person. The last one, `"distractors"`, is the label of all
        distractors, who are many people.

    Raises:
        ImportError: if Pillow or SciPy is not installed.
        FileNotFoundError: if a list is missing.
        NotADirectoryError: if `Training_Set` or `Gallery_Distractor` is missing.
        ValueError: for a damaged list, a bad image file (`on_error="raise"`), sizes that differ
            where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> from scipy.io import savemat
    >>> import keras_resample as kr
    >>> for part in ("Gallery_Match", "Gallery_Distractor", "Probe"):
    ...     os.makedirs(f"TinyFace/Testing_Set/{part}")
    ...     Image.new("RGB", (16, 20)).save(f"TinyFace/Testing_Set/{part}/1.jpg")
    >>> for name, of in (("gallery_match", "gallery"), ("probe", "probe")):
    ...     savemat(f"TinyFace/Testing_Set/{name}_img_ID_pairs.mat",
    ...             {f"{of}_set": np.array(["1.jpg"], object), f"{of}_ids": [7]})
    >>> probe, gallery, distractors = (
    ...     kr.datasets.tiny_face("TinyFace", part) for part in ("probe", "gallery", "distractors"))
    >>> probe.class_names, probe.labels.tolist(), distractors.labels.tolist()
    (['7', 'distractors'], [0], [1])
    >>> labels = np.concatenate([gallery.labels, distractors.labels])
    >>> kr.metrics.cmc([[0.9, 0.2]], probe.labels, labels, ranks=1).tolist()
    1.0

    Reference:
        Cheng, Zhu and Gong, Low-Resolution Face Recognition, ACCV 2018.
    """
    files, identities, class_names = identification_files(
        path, part, FOLDERS, LISTS, DISTRACTORS, "tiny_face"
    )
    kwargs = {"shuffle": part == "train", **kwargs}
    return identity_files(files, identities, path, "tiny_face", class_names=class_names, **kwargs)
