"""Random warps of images and of the keypoints on them: from numbers drawn to what is seen."""

import typing

from keras import ops

from keras_resample.arguments import as_integer, as_interval, as_number, as_range
from keras_resample.backend.compiling import one_program
from keras_resample.ops.affine import affine_keypoints, affine_matrix_of
from keras_resample.ops.grids import moved_by_affine, uniform_grid_of
from keras_resample.ops.keypoints import as_keypoints
from keras_resample.ops.sampling import image_sides, sample
from keras_resample.ops.sampling_arguments import check_fill, sampled_dtype
from keras_resample.ops.splines import as_control, moved_by_spline, spline_keypoints

# Further than 0.48 a spline may fold; up to here its inverse is found to rounding.
LARGEST_ELASTIC = 0.4


class WarpRanges(typing.NamedTuple):
    """What is drawn for each image: `count` numbers, uniform in [0, 1); see `RandomWarp`."""

    rotation: tuple
    scale: tuple
    translation: tuple
    shear: tuple
    elastic: float
    cells: int

    @property
    def is_nothing(self):
        """Whether no image is changed, whatever is drawn."""
        return self[:5] == ((0, 0), (1, 1), (0, 0), (0, 0), 0)

    @property
    def count(self):
        """Numbers that are drawn for an image."""
        return 5 + (2 * (self.cells + 3) ** 2 if self.elastic else 0)

    def matrix(self, drawn, aspect):
        """The affine maps, (batch, 2, 3), of images of a height over width."""
        ranges = self.rotation, self.scale, self.translation, self.translation, self.shear
        numbers = (low + (high - low) * drawn[:, i] for i, (low, high) in enumerate(ranges))
        return affine_matrix_of(aspect, *numbers)

    def control(self, drawn):
        """Displacements of the control points, (batch, cells + 3, cells + 3, 2)."""
        side = self.cells + 3
        shares = (2.0 * drawn[:, 5:] - 1.0) * (self.elastic / self.cells)
        return as_control(ops.reshape(shares, (-1, side, side, 2)))


def as_warp_ranges(rotation, scale, translation, shear, elastic, cells):
    """The arguments of `RandomWarp` in their one form, or an error that names the wrong one."""
    return WarpRanges(
        as_range(rotation, "rotation"),
        as_interval(scale, "scale", "(0, inf)"),
        as_range(translation, "translation"),
        as_range(shear, "shear"),
        as_number(elastic, "elastic", f"[0, {LARGEST_ELASTIC}]"),
        as_integer(cells, "cells"),
    )


def warp(images, keypoints, drawn, ranges, interpolation, fill_mode, fill_value, data_format):
    """Images and keypoints as they are seen after the warp that numbers (batch, count) say.

    The content is turned, scaled and shifted, and then displaced: one sampling for both.
    """
    keypoints = as_keypoints(keypoints)
    if ranges.is_nothing:
        return ops.cast(images, sampled_dtype(images.dtype, interpolation)), keypoints
    if fill_mode == "constant":
        check_fill(fill_value, images.dtype, interpolation)
    return _warp(
        images,
        keypoints,
        ops.cast(drawn, "float32"),
        ranges=ranges,
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=fill_value,
        data_format=data_format,
    )


@one_program
def _warp(images, keypoints, drawn, *, ranges, interpolation, fill_mode, fill_value, data_format):
    height, width = image_sides(images, data_format)
    aspect = ops.cast(height, "float32") / ops.cast(width, "float32")
    matrix, grid = ranges.matrix(drawn, aspect), uniform_grid_of(height, width)
    keypoints = affine_keypoints(keypoints, matrix)
    if ranges.elastic:
        control = ranges.control(drawn)
        grid = moved_by_spline(grid, control)
        keypoints = spline_keypoints(keypoints, control)
    grid = moved_by_affine(grid, matrix)
    warped = sample(images, grid, interpolation, fill_mode, fill_value, data_format=data_format)
    return warped, keypoints
