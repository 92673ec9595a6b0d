"""The segmentation networks of the comparison, all from pixels in 0..255 to logits."""

import keras
from keras import layers

from keras_resample import models

# Running statistics of a few batches, for trainings of a few hundred steps.
MOMENTUM = 0.9
# Times that the U-Net halves the sides.
DEPTH = 3


def unet(input_shape, num_classes, width=16):
    """A compact U-Net with sums for concatenations: full output stride, 0.4 M parameters."""
    images = keras.Input(input_shape)
    x = convolutions(layers.Rescaling(1 / 127.5, offset=-1)(images), width)
    skips = []
    for level in range(1, DEPTH + 1):
        skips.append(x)
        x = convolutions(layers.MaxPooling2D(padding="same")(x), width * 2**level)
    for level in reversed(range(DEPTH)):
        skip = skips.pop()
        x = layers.UpSampling2D(interpolation="bilinear")(layers.Conv2D(width * 2**level, 1)(x))
        odd = [n % 2 for n in skip.shape[1:3]]  # half of an odd side was rounded up
        x = layers.Cropping2D([(0, n) for n in odd])(x)
        x = convolutions(layers.Add()([x, skip]), width * 2**level, count=1)
    return keras.Model(images, layers.Conv2D(num_classes, 1)(x), name="unet")


def convolutions(x, filters, count=2):
    """Convolutions of 3x3 with batch normalization and ReLU."""
    for _ in range(count):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
    return x


def build(name, input_shape, num_classes, width):
    """The network `name` for samples of a shape; of more than three channels it reads three."""
    height, columns, channels = input_shape
    shape = (height, columns, 3)
    if name == "unet":
        network = unet(shape, num_classes, width or 16)
    elif name == "hrnet":
        network = models.HRNetV2(width or 48, num_classes, input_shape=shape)
    else:
        network = models.PSPNet(num_classes=num_classes, input_shape=shape)
    if channels == 3:
        return network
    samples = keras.Input(input_shape)
    return keras.Model(samples, network(samples[..., :3]), name=network.name)
