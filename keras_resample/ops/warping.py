"""Random warps of images and of the keypoints on them: from numbers drawn to what is seen."""

from keras import ops

from keras_resample.arguments import as_integer, as_number, as_numbers, as_range
from keras_resample.ops.affine import affine_keypoints, affine_matrix_of
from keras_resample.ops.grids import moved_by_affine, uniform_grid_of
from keras_resample.ops.keypoints import as_keypoints
from keras_resample.ops.sampling import image_sides, sample
from keras_resample.ops.sampling_arguments import sampled_dtype
from keras_resample.ops.splines import as_control, moved_by_spline, spline_keypoints

# Further than 0.48 a spline may fold; up to here its inverse is found to rounding.
LARGEST_ELASTIC = 0.4


class WarpRanges:
    """What is drawn for each image: `count` numbers, uniform in [0, 1); see `RandomWarp`."""

    def __init__(self, rotation, scale, translation, shear, elastic, cells):
        self.rotation = as_range(rotation, "rotation")
        self.scale = as_numbers(scale, "scale", "(0, inf)", length=2)
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"`scale` must be (low, high), low <= high. Received: scale={scale}")
        self.translation = as_range(translation, "translation")
        self.shear = as_range(shear, "shear")
        self.elastic = as_number(elastic, "elastic", f"[0, {LARGEST_ELASTIC}]")
        self.cells = as_integer(cells, "cells")
        control_points = (self.cells + 3) ** 2 if self.elastic else 0
        affine = self.rotation, self.scale, self.translation, self.shear, self.elastic
        self.is_nothing = affine == ((0, 0), (1, 1), (0, 0), (0, 0), 0)
        self.count = 5 + 2 * control_points

    def warp(self, images, keypoints, drawn, data_format, **sampling):
        """Images and keypoints as they are seen after the warp that numbers (batch, count) say.

        The content is turned, scaled and shifted, and then displaced: one sampling for both.
        """
        if self.is_nothing:
            dtype = sampled_dtype(images.dtype, sampling["interpolation"])
            return ops.cast(images, dtype), as_keypoints(keypoints)
        drawn = ops.cast(drawn, "float32")
        height, width = image_sides(images, data_format)
        matrix = self._matrix(drawn, height, width)
        keypoints = affine_keypoints(keypoints, matrix)
        grid = uniform_grid_of(height, width)
        if self.elastic:
            control = self._control(drawn)
            grid = moved_by_spline(grid, control)
            keypoints = spline_keypoints(keypoints, control)
        grid = moved_by_affine(grid, matrix)
        return sample(images, grid, data_format=data_format, **sampling), keypoints

    def _matrix(self, drawn, height, width):
        aspect = ops.cast(height, "float32") / ops.cast(width, "float32")
        ranges = self.rotation, self.scale, self.translation, self.translation, self.shear
        numbers = (low + (high - low) * drawn[:, i] for i, (low, high) in enumerate(ranges))
        return affine_matrix_of(aspect, *numbers)

    def _control(self, drawn):
        side = self.cells + 3
        largest = self.elastic / self.cells
        return as_control(ops.reshape((2.0 * drawn[:, 5:] - 1.0) * largest, (-1, side, side, 2)))
