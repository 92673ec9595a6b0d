"""Readers of image collections, and small generators that need no download."""

from keras_resample.datasets.bezier_palms import bezier_palms
from keras_resample.datasets.digits import digits
from keras_resample.datasets.from_arrays import from_arrays
from keras_resample.datasets.half_identities import half_identities
from keras_resample.datasets.identity_dataset import IdentityDataset
from keras_resample.datasets.image_folder import image_folder
from keras_resample.datasets.npz import npz
