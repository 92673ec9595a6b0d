"""The palmprint protocol: train on half of the identities, test on the other half."""

import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.base.identity_dataset import IdentityDataset


def half_identities(dataset, seed=None):
    """Splits a dataset into two with different identities: train and test.

    The protocol of the palmprint experiments of the FlowWarp paper: the recognizer is
    trained on half of the identities and verifies images of the other half, so it never
    saw the people it is tested on. With an odd number the training half is larger by one.

    An identity with a single image goes where its turn puts it. In the test half it makes
    impostor pairs only.

    Args:
        dataset: an `IdentityDataset` of at least two identities.
        seed: `None` puts the first half of the labels in the training set; an integer
            draws the halves at random.

    Returns:
        `(train, test)`: two datasets that share no identity and together hold every image;
        the labels of each are renumbered to `0 .. k-1`. `train` shuffles as `dataset`
        does, `test` does not shuffle.

    Raises:
        ValueError: for anything else, or a dataset with images of fewer than two identities.

    Example:

    >>> import keras_resample as kr
    >>> palms = kr.datasets.bezier_palms(num_identities=7, images_per_identity=3)
    >>> train, test = kr.datasets.half_identities(palms)
    >>> train.num_classes, test.num_classes, test.num_images
    (4, 3, 9)
    """
    if not isinstance(dataset, IdentityDataset):
        raise ValueError(
            "`dataset` must be an IdentityDataset, such as `from_arrays(images, labels)` makes. "
            f"Received: dataset={type(dataset).__name__}"
        )
    identities = np.unique(dataset.labels)
    if len(identities) < 2:
        raise ValueError(
            "`dataset` must have images of at least two identities. "
            f"Received: dataset with {len(identities)}"
        )
    if seed is not None:
        identities = random_generator(as_integer(seed, "seed", 0)).permutation(identities)
    in_train = np.isin(dataset.labels, identities[: (len(identities) + 1) // 2])
    train = dataset.subset(in_train, relabel=True)
    test = dataset.subset(~in_train, relabel=True)
    test.shuffle = False
    return train, test
