"""Published networks, and the models that train and run them behind samplers and heads."""

from keras_resample.models import convert
from keras_resample.models.hrnet_v2 import HRNetV2
from keras_resample.models.iresnet import (
    IResNet,
    IResNet18,
    IResNet34,
    IResNet50,
    IResNet100,
    IResNet200,
)
from keras_resample.models.mobilefacenet import MobileFaceNet
from keras_resample.models.pspnet import PSPNet
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.segmentation_report import segmentation_report
from keras_resample.models.segmenter import Segmenter
