"""Readers of image collections, and small generators that need no download."""

from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.datasets.base.image_files import image_files
from keras_resample.datasets.base.image_pairs import ImagePairs
from keras_resample.datasets.base.segmentation_dataset import SegmentationDataset
from keras_resample.datasets.base.segmentation_windows import SegmentationWindows
from keras_resample.datasets.keypoints.foreground_keypoints import foreground_keypoints
from keras_resample.datasets.keypoints.keypoint_dataset import KeypointDataset
from keras_resample.datasets.keypoints.keypoint_file import keypoint_file
from keras_resample.datasets.keypoints.warp_with_keypoints import warp_with_keypoints
from keras_resample.datasets.recognition.arrays import from_arrays, npz
from keras_resample.datasets.recognition.cub import cub
from keras_resample.datasets.recognition.face_records import FaceRecords
from keras_resample.datasets.recognition.fgvc_aircraft import fgvc_aircraft
from keras_resample.datasets.recognition.gallery_draws import gallery_draws
from keras_resample.datasets.recognition.half_identities import half_identities
from keras_resample.datasets.recognition.image_folder import image_folder
from keras_resample.datasets.recognition.image_list import image_list
from keras_resample.datasets.recognition.stanford_cars import stanford_cars
from keras_resample.datasets.recognition.surv_face import surv_face
from keras_resample.datasets.recognition.tiny_face import tiny_face
from keras_resample.datasets.recognition.vehicle_id import vehicle_id
from keras_resample.datasets.recognition.veri import veri
from keras_resample.datasets.recognition.write_records import write_records
from keras_resample.datasets.segmentation.camvid import camvid
from keras_resample.datasets.segmentation.cityscapes import cityscapes
from keras_resample.datasets.segmentation.deep_globe import deep_globe
from keras_resample.datasets.segmentation.segmentation_folder import segmentation_folder
from keras_resample.datasets.synthetic.bezier_palms import bezier_palms
from keras_resample.datasets.synthetic.digits import digits
from keras_resample.datasets.synthetic.fine_grained_scenes import fine_grained_scenes
from keras_resample.datasets.synthetic.generated_scenes import generated_scenes
from keras_resample.datasets.verification.cfp_pairs import cfp_pairs
from keras_resample.datasets.verification.ijb_protocol import IJBProtocol
from keras_resample.datasets.verification.lfw_pairs import lfw_pairs
from keras_resample.datasets.verification.pair_list import pair_list
from keras_resample.datasets.verification.surv_face_pairs import surv_face_pairs
from keras_resample.datasets.verification.verification_pairs import verification_pairs
from keras_resample.datasets.verification.write_verification_pairs import write_verification_pairs

__all__ = [
    "FaceRecords",
    "IJBProtocol",
    "IdentityDataset",
    "ImageDataset",
    "ImagePairs",
    "KeypointDataset",
    "SegmentationDataset",
    "SegmentationWindows",
    "bezier_palms",
    "camvid",
    "cfp_pairs",
    "cityscapes",
    "cub",
    "deep_globe",
    "digits",
    "fgvc_aircraft",
    "fine_grained_scenes",
    "foreground_keypoints",
    "from_arrays",
    "gallery_draws",
    "generated_scenes",
    "half_identities",
    "image_files",
    "image_folder",
    "image_list",
    "keypoint_file",
    "lfw_pairs",
    "npz",
    "pair_list",
    "segmentation_folder",
    "stanford_cars",
    "surv_face",
    "surv_face_pairs",
    "tiny_face",
    "vehicle_id",
    "veri",
    "verification_pairs",
    "warp_with_keypoints",
    "write_records",
    "write_verification_pairs",
]


def __dir__():
    return __all__
