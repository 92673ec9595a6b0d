import numpy as np

from keras_resample import datasets


def test_digits():
    plain = datasets.digits()
    images, labels = plain.arrays()
    assert images.shape == (1797, 8, 8, 1) and images.min() == 0 and images.max() == 1
    assert np.bincount(labels).min() > 170
    large, same = datasets.digits(size=(16, 24)).arrays()
    assert large.shape == (1797, 16, 24, 1) and (same == labels).all()
    assert large.min() >= 0 and large.max() <= 1
    np.testing.assert_allclose(large.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=0.05)
