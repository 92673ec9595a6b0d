"""Readers of image collections, and small generators that need no download."""

from keras_resample.datasets.bezier_palms import bezier_palms
from keras_resample.datasets.camvid import camvid
from keras_resample.datasets.cfp_pairs import cfp_pairs
from keras_resample.datasets.cityscapes import cityscapes
from keras_resample.datasets.deep_globe import deep_globe
from keras_resample.datasets.digits import digits
from keras_resample.datasets.face_records import FaceRecords
from keras_resample.datasets.from_arrays import from_arrays
from keras_resample.datasets.generated_scenes import generated_scenes
from keras_resample.datasets.half_identities import half_identities
from keras_resample.datasets.identity_dataset import IdentityDataset
from keras_resample.datasets.ijb_protocol import IJBProtocol
from keras_resample.datasets.image_dataset import ImageDataset
from keras_resample.datasets.image_folder import image_folder
from keras_resample.datasets.image_list import image_list
from keras_resample.datasets.image_pairs import ImagePairs
from keras_resample.datasets.lfw_pairs import lfw_pairs
from keras_resample.datasets.npz import npz
from keras_resample.datasets.pair_list import pair_list
from keras_resample.datasets.segmentation_dataset import SegmentationDataset
from keras_resample.datasets.segmentation_folder import segmentation_folder
from keras_resample.datasets.segmentation_windows import SegmentationWindows
from keras_resample.datasets.verification_pairs import verification_pairs
from keras_resample.datasets.write_records import write_records
from keras_resample.datasets.write_verification_pairs import write_verification_pairs
