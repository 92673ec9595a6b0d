"""Samplers, regions of feature maps, augmentation and attention, as Keras layers."""

from keras_resample.layers.attention.absolute_position import AbsolutePosition
from keras_resample.layers.attention.image_relative_position import ImageRelativePosition
from keras_resample.layers.attention.keypoint_relative_attention import KeypointRelativeAttention
from keras_resample.layers.attention.keypoint_relative_bias import KeypointRelativeBias
from keras_resample.layers.attention.keypoint_window_bias import KeypointWindowBias
from keras_resample.layers.attention.masked_tokens import MaskedTokens
from keras_resample.layers.attention.relative_attention import RelativeAttention
from keras_resample.layers.attention.relative_bias import RelativeBias
from keras_resample.layers.attention.rotary_position_2d import RotaryPosition2D
from keras_resample.layers.attention.window_attention import WindowAttention
from keras_resample.layers.augmentation.random_resolution import RandomResolution
from keras_resample.layers.augmentation.random_warp import RandomWarp
from keras_resample.layers.regions.adaptive_region_pooling import AdaptiveRegionPooling
from keras_resample.layers.regions.keypoint_pooling import KeypointPooling
from keras_resample.layers.regions.region_pooling import RegionPooling
from keras_resample.layers.regions.roi_align import RoIAlign
from keras_resample.layers.samplers.crop_downsample import CropDownsample
from keras_resample.layers.samplers.deformation_module import DeformationModule
from keras_resample.layers.samplers.flow_warp_downsample import FlowWarpDownsample
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.layers.samplers.keypoint_alignment import KeypointAlignment
from keras_resample.layers.samplers.learned_resizer import LearnedResizer
from keras_resample.layers.samplers.saliency_sampler import SaliencySampler
from keras_resample.layers.samplers.sample_at import SampleAt
from keras_resample.layers.samplers.spatial_transformer import SpatialTransformer
from keras_resample.layers.samplers.uniform_downsample import UniformDownsample
from keras_resample.layers.trunk.branch_to_trunk import BranchToTrunk

__all__ = [
    "AbsolutePosition",
    "AdaptiveRegionPooling",
    "BranchToTrunk",
    "CropDownsample",
    "DeformationModule",
    "FlowWarpDownsample",
    "GridSampler",
    "ImageRelativePosition",
    "KeypointAlignment",
    "KeypointPooling",
    "KeypointRelativeAttention",
    "KeypointRelativeBias",
    "KeypointWindowBias",
    "LearnedResizer",
    "MaskedTokens",
    "RandomResolution",
    "RandomWarp",
    "RegionPooling",
    "RelativeAttention",
    "RelativeBias",
    "RoIAlign",
    "RotaryPosition2D",
    "SaliencySampler",
    "SampleAt",
    "SpatialTransformer",
    "UniformDownsample",
    "WindowAttention",
]


def __dir__():
    return __all__
