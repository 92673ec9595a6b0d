"""Pure tensor functions: where to look, reading there, and how dense that is."""

from keras_resample.ops.affine import affine_keypoints, affine_matrix
from keras_resample.ops.alignment import align, face_template, similarity_matrix
from keras_resample.ops.edges import edge_map
from keras_resample.ops.grids import (
    grid_from_affine,
    grid_from_boxes,
    grid_from_flow,
    resize_grid,
    uniform_grid,
)
from keras_resample.ops.jacobian import (
    corner_jacobians,
    fold_penalty,
    jacobian_determinant,
    shrink_penalty,
    smoothness_penalty,
)
from keras_resample.ops.regions import roi_align
from keras_resample.ops.relative_position import relative_position_buckets
from keras_resample.ops.resolution_choice import choose_resolution
from keras_resample.ops.restoring.restoring import restore
from keras_resample.ops.saliency import saliency_grid
from keras_resample.ops.sampling import sample
from keras_resample.ops.splines import grid_from_spline, spline_keypoints

__all__ = [
    "affine_keypoints",
    "affine_matrix",
    "align",
    "choose_resolution",
    "corner_jacobians",
    "edge_map",
    "face_template",
    "fold_penalty",
    "grid_from_affine",
    "grid_from_boxes",
    "grid_from_flow",
    "grid_from_spline",
    "jacobian_determinant",
    "relative_position_buckets",
    "resize_grid",
    "restore",
    "roi_align",
    "saliency_grid",
    "sample",
    "shrink_penalty",
    "similarity_matrix",
    "smoothness_penalty",
    "spline_keypoints",
    "uniform_grid",
]


def __dir__():
    return __all__
