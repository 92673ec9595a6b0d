"""Random affine and elastic warps of images together with their keypoints."""

import keras
from keras import ops

from keras_resample.arguments import as_data_format, as_seed
from keras_resample.ops.keypoints import as_keypoints, check_keypoints
from keras_resample.ops.sampling_arguments import (
    as_fill_value,
    check_images,
    check_sampling,
)
from keras_resample.ops.warping import as_warp_ranges, warp


@keras.saving.register_keras_serializable(package="keras_resample")
class RandomWarp(keras.layers.Layer):
    """Warps images in training, each in its own way, and moves their keypoints with them.

    What an image shows is sheared, scaled, turned and shifted (`keras_resample.ops.affine_matrix`)
    and then displaced smoothly (`keras_resample.ops.grid_from_spline`), in one sampling. Numbers
    are drawn uniformly from their ranges. Where all ranges are their defaults, and outside of
    training, images and keypoints are what they were, exactly.

    In a data pipeline of numpy, or for the same draws on every backend, use
    `keras_resample.datasets.warp_with_keypoints`.

    Args:
        rotation: degrees, counter-clockwise: `(low, high)`, or a number r for `(-r, r)`.
        scale: `(low, high)`, how much larger things get.
        translation: shift along x and along y, each drawn from `(low, high)`, or from `(-r, r)` for
            a number r, as a share of the width and of the height.
        shear: shift to the right for each pixel down, `(low, high)` or a number.
        elastic: largest displacement of a control point along x and along y, as a share of the
            distance between them, in [0, 0.4]. Below 0.48 a displacement never folds.
        cells: how many of these distances each side of the image has: few for a coarse
            displacement.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside the image: `"nearest"`, `"constant"`, `"reflect"` or `"mirror"`
            (see `keras_resample.ops.sample`).
        fill_value: number read outside the image under `fill_mode="constant"`.
        seed: integer, or None for a random one.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        keypoints: `(batch, n, 2)`, relative (x, y). They are not clipped, and NaN stays NaN.
        training: whether to warp; `fit` says so by itself.

    Output shape:
        `(images, keypoints)` of the shapes that went in: images of the layer's compute dtype (under
        `"nearest"` of their own), keypoints in float32 under every dtype policy.

    Raises:
        ValueError: for a range that is none, an `elastic` outside of [0, 0.4], an unknown mode, or
            images or keypoints of another shape.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> warp = kr.layers.RandomWarp(
    ...     rotation=30, scale=(0.8, 1.2), translation=0.1, elastic=0.3, seed=0,
    ...     data_format="channels_last")
    >>> images, keypoints = np.random.rand(2, 28, 28, 1), np.random.rand(2, 5, 2)
    >>> images, keypoints = warp(images, keypoints, training=True)
    >>> images.shape == (2, 28, 28, 1) and keypoints.shape == (2, 5, 2)
    True
    """

    def __init__(
        self,
        rotation=0.0,
        scale=(1.0, 1.0),
        translation=0.0,
        shear=0.0,
        elastic=0.0,
        cells=4,
        interpolation="bilinear",
        fill_mode="nearest",
        fill_value=0.0,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self._ranges = as_warp_ranges(rotation, scale, translation, shear, elastic, cells)
        self.rotation, self.scale = self._ranges.rotation, self._ranges.scale
        self.translation, self.shear = self._ranges.translation, self._ranges.shear
        self.elastic, self.cells = self._ranges.elastic, self._ranges.cells
        check_sampling(interpolation, fill_mode, fill_value, antialias=False)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = as_fill_value(fill_value)
        self.seed = as_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.data_format = as_data_format(data_format)

    def build(self, images_shape, keypoints_shape):
        self.compute_output_shape(images_shape, keypoints_shape)
        self.built = True

    def call(self, images, keypoints, training=None):
        images, keypoints = ops.convert_to_tensor(images), as_keypoints(keypoints)
        if training:
            shape = (ops.shape(images)[0], self._ranges.count)
            images, keypoints = warp(
                images,
                keypoints,
                keras.random.uniform(shape, dtype="float32", seed=self.seed_generator),
                self._ranges,
                self.interpolation,
                self.fill_mode,
                self.fill_value,
                self.data_format,
            )
        return ops.cast(images, self._images_dtype(images)), keypoints

    def compute_output_shape(self, images_shape, keypoints_shape):
        check_images(images_shape, self.data_format)
        check_keypoints(keypoints_shape, images_shape[0])
        return tuple(images_shape), tuple(keypoints_shape)

    def compute_output_spec(self, images, keypoints, training=None):
        shapes = self.compute_output_shape(images.shape, keypoints.shape)
        dtypes = self._images_dtype(images), "float32"
        return tuple(map(keras.KerasTensor, shapes, dtypes))

    def get_config(self):
        return {
            **super().get_config(),
            "rotation": self.rotation,
            "scale": self.scale,
            "translation": self.translation,
            "shear": self.shear,
            "elastic": self.elastic,
            "cells": self.cells,
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "seed": self.seed,
            "data_format": self.data_format,
        }

    def _images_dtype(self, images):
        dtype = images.dtype if self.interpolation == "nearest" else self.compute_dtype
        return keras.backend.standardize_dtype(dtype)
