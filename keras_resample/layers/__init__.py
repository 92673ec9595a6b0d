"""Samplers as Keras layers."""

from keras_resample.layers.deformation_module import DeformationModule
from keras_resample.layers.flow_warp_downsample import FlowWarpDownsample
from keras_resample.layers.grid_sampler import GridSampler
from keras_resample.layers.learned_resizer import LearnedResizer
from keras_resample.layers.saliency_sampler import SaliencySampler
from keras_resample.layers.uniform_downsample import UniformDownsample
