"""Keypoints of `train_face_recognition.py`: from files, or those of aligned faces."""

import keras
import numpy as np

import keras_resample as kr

TEMPLATE = "template"  # in place of a path: the images are aligned, so their keypoints are known


def with_keypoints(dataset, source):
    """A dataset of identities whose batches have keypoints too.

    Args:
        dataset: an `IdentityDataset`.
        source: the path of a file, or several of them in a list, as `keypoint_file` reads it; or
            "template".
    """
    if source == TEMPLATE:
        keypoints = _template(dataset.num_images)
    else:
        paths = [source] if isinstance(source, str) else source
        keypoints = {}
        for path in paths:
            keypoints |= kr.datasets.keypoint_file(path)
    return kr.datasets.KeypointDataset(dataset, keypoints, workers=dataset.workers)


class AlignedImages(keras.utils.PyDataset):
    """Batches of images, as of a file of pairs, with the keypoints of the template."""

    def __init__(self, images):
        super().__init__()
        self.images, self.num_images = images, images.num_images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        images = self.images[index]
        return ({"images": images, "keypoints": _template(len(images))},)


def _template(count):
    return np.tile(kr.ops.face_template().astype("float32"), (count, 1, 1))
