"""Endpoints of a network with a branch for each of several resolutions."""

import functools

import tensorflow as tf

from keras_resample.export.decoding import as_taken, channels_last, decoded, resized, scaled
from keras_resample.ops.resolution_choice import choose_resolution_by


def embed_any_size(embed_each, contract, of_bytes=False):
    """Function of a batch of images of one size, any, by the branch that serves it.

    Args:
        embed_each: for each of `contract.resolutions` the function of its images.
        contract: a `Contract`.
        of_bytes: whether they are byte values with their channels last, not what the model takes.
    """

    def embed(inputs):
        images = inputs[contract.image_name]
        pixels = images if of_bytes else channels_last(images, contract)
        index = _chosen(tf.shape(pixels)[1:3], contract)
        pixels = resized(pixels, tf.gather(contract.resolutions, index))
        pixels = scaled(pixels, contract) if of_bytes else pixels
        # A branch reads the size of its images from their shape.
        branches = [
            functools.partial(_embed_of_size, embed_one, pixels, size, contract)
            for embed_one, size in zip(embed_each, contract.resolutions, strict=True)
        ]
        return tf.switch_case(index, branches)

    return embed


def embed_files_of_any_size(embed_each, contract):
    """Function of encoded images of any sizes: each by the branch that serves it.

    The images of one branch run together.

    Args:
        embed_each: for each of `contract.resolutions` the function of its images.
        contract: a `Contract`.
    """
    largest = contract.image_size

    def prepare(encoded):
        image = decoded(encoded, contract)
        index = _chosen(tf.shape(image)[:2], contract)
        image = scaled(resized(image, tf.gather(contract.resolutions, index)), contract)
        # One tensor holds images of all resolutions, each in its corner.
        return tf.image.pad_to_bounding_box(image, 0, 0, *largest), index

    def embed(inputs):
        image = tf.TensorSpec((*largest, contract.channels), "float32")
        specs = image, tf.TensorSpec((), "int32")
        images, chosen = tf.map_fn(prepare, inputs[contract.image_name], fn_output_signature=specs)
        places, outputs = [], []
        branches = zip(embed_each, contract.resolutions, strict=True)
        for index, (embed_one, size) in enumerate(branches):
            own = tf.where(chosen == index)[:, 0]
            pixels = tf.gather(images, own)[:, : size[0], : size[1]]
            run = functools.partial(_embed_of_size, embed_one, pixels, size, contract)
            places.append(tf.cast(own, "int32"))
            outputs.append(tf.cond(tf.size(own) > 0, run, functools.partial(_nothing, embed_one)))
        return tf.nest.map_structure(
            lambda *parts: tf.dynamic_stitch(places, list(parts)), *outputs
        )

    return embed


def _chosen(size, contract):
    """The index of the resolution that images of a size are served by."""
    return choose_resolution_by(tf.experimental.numpy, size, *contract.rule)


def _embed_of_size(embed_one, pixels, size, contract):
    pixels = tf.ensure_shape(pixels, (None, *size, contract.channels))
    return embed_one({contract.image_name: as_taken(pixels, contract)})


def _nothing(embed_one):
    """The outputs of no images."""
    specs = embed_one.get_concrete_function().structured_outputs
    return tf.nest.map_structure(lambda spec: tf.zeros((0, *spec.shape[1:]), spec.dtype), specs)
