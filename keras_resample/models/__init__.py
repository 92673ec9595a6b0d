"""Published networks, and the models that train and run them behind samplers and heads."""

from keras_resample.models import convert
from keras_resample.models.branch_trainer import BranchTrainer
from keras_resample.models.btnet import BTNet
from keras_resample.models.gflops import gflops
from keras_resample.models.networks.hrnet_v2 import HRNetV2
from keras_resample.models.networks.iresnet import (
    IResNet,
    IResNet18,
    IResNet34,
    IResNet50,
    IResNet100,
    IResNet200,
)
from keras_resample.models.networks.keypoint_swin import KeypointSwin
from keras_resample.models.networks.keypoint_vit import KeypointViT
from keras_resample.models.networks.mobilefacenet import MobileFaceNet
from keras_resample.models.networks.msgn import MSGN
from keras_resample.models.networks.pspnet import PSPNet
from keras_resample.models.networks.vit import ViT
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.segmentation_report import segmentation_report
from keras_resample.models.segmenter import Segmenter
from keras_resample.models.verifier import Verifier

__all__ = [
    "BTNet",
    "BranchTrainer",
    "HRNetV2",
    "IResNet",
    "IResNet100",
    "IResNet18",
    "IResNet200",
    "IResNet34",
    "IResNet50",
    "KeypointSwin",
    "KeypointViT",
    "MSGN",
    "MobileFaceNet",
    "PSPNet",
    "Recognizer",
    "Segmenter",
    "Verifier",
    "ViT",
    "convert",
    "gflops",
    "segmentation_report",
]


def __dir__():
    return __all__
