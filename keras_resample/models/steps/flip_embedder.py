"""Embeddings of images and of their mirror images, added up."""

import keras
from keras import ops

from keras_resample.models.steps.image_format import format_of_images


class FlipEmbedder(keras.Model):
    """The sum of the embeddings of an image and of its mirror image."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.autocast = False

    def call(self, images):
        return embed_both(self.encoder, images)


def embed_both(encoder, images, data_format=None):
    """The sum, float32, of the embeddings of images and of their mirror images.

    Args:
        encoder: a model of one batch of images.
        images: the batch.
        data_format: of the images; `None` is what the encoder tells.
    """
    if len(getattr(images, "shape", ())) != 4:
        raise ValueError(
            "`flip` needs an encoder of one tensor of images (b, h, w, c) or (b, c, h, w). "
            f"Received: {images}"
        )
    data_format = data_format or format_of_images(images.shape, encoder)
    first = data_format == "channels_first"
    both = [images, ops.flip(images, axis=3 if first else 2)]
    found = [ops.cast(encoder(x, training=False), "float32") for x in both]
    return ops.add(*found)
