"""The queries and the gallery of a retrieval callback, and who is on their images."""

import dataclasses

import numpy as np

from keras_resample.callbacks.image_set import ImageSet, is_labelled, readable_images
from keras_resample.metrics.verification.score_blocks import ScoreBlocks, labelled_blocks


@dataclasses.dataclass
class RetrievalSet(ImageSet):
    """Images with their identities, and the camera of each or `None`."""

    labels: np.ndarray
    cameras: np.ndarray | None


def retrieval_set(name, data):
    """The set of the argument `name`: a dataset of identities, or images, labels and cameras."""
    if is_labelled(data):
        # Labels of two datasets may have other meanings: who they are is what is compared.
        identities = np.asarray(data.identities)[data.labels]
        data = (data.ordered(), identities, getattr(data, "cameras", None))
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            f"`{name}` must be (images, labels), (images, labels, cameras) or a dataset of "
            f"identities. Received: {name} of type {type(data).__name__}"
        )
    images, labels, cameras = (*data, None)[:3]
    one = RetrievalSet(
        name,
        readable_images(images, name, name),
        np.asarray(labels),
        None if cameras is None else np.asarray(cameras),
    )
    number = one.number_of_images()
    for part, values in (("label", one.labels), ("camera", one.cameras)):
        if values is not None and (values.ndim != 1 or number not in (None, len(values))):
            raise ValueError(
                f"`{name}` must have one {part} per image. "
                f"Received: {number} images and {part}s of shape {values.shape}"
            )
    if one.cameras is not None and len(one.cameras) != len(one.labels):
        raise ValueError(
            f"`{name}` must have as many cameras as labels. "
            f"Received: {len(one.cameras)} cameras and {len(one.labels)} labels"
        )
    return one


def ranking_labels(query, gallery):
    """What the metrics of identification take after the scores, as integers.

    Args:
        query: `RetrievalSet`.
        gallery: `RetrievalSet`, or `None`: each query is looked for among the other ones.

    Returns:
        Labels of the queries and of the gallery, cameras of the queries and of the gallery, or
        `None` for both cameras.

    Raises:
        ValueError: Where one has cameras and the other none, and where no query has a match.
    """
    alone = gallery is None
    gallery = query if alone else gallery
    cameras = query.cameras, gallery.cameras
    if alone and query.cameras is None:
        # Each image a camera of its own: the entry that is left out is the query itself.
        cameras = (np.arange(len(query.labels)),) * 2
    if (cameras[0] is None) != (cameras[1] is None):
        raise ValueError(
            "`gallery` must have cameras where `query` has them, and none where it has none. "
            f"Received: cameras of `{'query' if cameras[1] is None else 'gallery'}` only"
        )
    labels = _as_integers(query.labels, gallery.labels)
    cameras = (None, None) if cameras[0] is None else _as_integers(*cameras)
    blank = ScoreBlocks(*(np.zeros((len(x), 1)) for x in labels))
    if not any(match.any() for _, match, _ in labelled_blocks(blank, *labels, *cameras)):
        raise ValueError(
            f"`{'query' if alone else 'gallery'}` must hold another image of a query's identity"
            f"{'' if query.cameras is None else ' under another camera'}. "
            f"Received: {len(labels[0])} queries without a match"
        )
    return *labels, *cameras


def _as_integers(query, gallery):
    """Equal values as equal integers: names are slow to compare."""
    _, numbers = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    return numbers[: len(query)], numbers[len(query) :]
