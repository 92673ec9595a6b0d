"""The ways of downsampling that are compared, each as a `Segmenter`."""

import keras
import numpy as np

import keras_resample as kr
from keras_resample.compare.engine.flops import gflops
from segmentation import networks
from segmentation.data import EdgeOracle
from segmentation.names import EDGE_BASED, FULL, parts

# Density far from every edge, over that on one.
FLOOR = 0.02
# Full width at half maximum of a Gaussian over its standard deviation.
FWHM = 2 * (2 * np.log(2)) ** 0.5


def oracle(name, size, options, ignore_class):
    """What gives the density of edge-based sampling, None for other methods."""
    method, _, radius = parts(name)
    if method != EDGE_BASED:
        return None
    return EdgeOracle(map_size(size, options), radius or options.blur_radii[0], ignore_class)


def map_size(size, options):
    return tuple(options.map_scale * n for n in size)


def sampler(name, size, options, image_size):
    """The sampler of a training."""
    method, antialias, _ = parts(name)
    if method == FULL:
        return kr.layers.UniformDownsample(size=image_size)
    if method == "uniform":
        return kr.layers.UniformDownsample(size=size, antialias=antialias)
    if method == "interpolation":
        return kr.layers.LearnedResizer(size)
    cells = map_size(size, options)
    sigma = options.sigma * options.map_scale
    return kr.layers.SaliencySampler(
        size=size,
        saliency=edge_density() if method == EDGE_BASED else kr.layers.DeformationModule(),
        grid_size=cells,
        saliency_input_size=cells,
        sigma=sigma,
        radius=int(np.ceil(FWHM * sigma)),  # the released kernel ends at its full width
        antialias=antialias,
    )


def edge_density():
    """From images with the map of an `EdgeOracle` as fourth channel to logits of the density."""
    images = keras.Input((None, None, 4))
    return keras.Model(images, keras.ops.log(images[..., 3:] / 255 + FLOOR))


def segmenter(name, size, options, dataset, seed):
    """The `Segmenter` of a training; one seed gives every method the same initial network."""
    keras.utils.set_random_seed(seed)
    method, *_ = parts(name)
    image_size = dataset.image_shape[:2]
    channels = 4 if method == EDGE_BASED else 3
    sampled = image_size if method == FULL else size
    shape = (*sampled, channels)
    network = networks.build(options.network, shape, dataset.num_classes, options.width)
    return kr.models.Segmenter(
        sampler(name, size, options, image_size),
        network,
        edge_weight=options.edge_weight if method == "joint" else 0,
        ignore_class=dataset.ignore_class,
        binary_edges=options.binary_edges,
    )


def cost(segmenter, image_size):
    """GFLOPs of the network, and of the convolutions of its sampler, for one image."""
    layer = segmenter.sampler
    size = layer.target_size(*image_size)
    if hasattr(layer, "saliency_input_size"):
        size = layer.saliency_input_size
    operations = 0
    for weight in layer.weights:
        if weight.name == "kernel":
            # The first convolutions of the learned resizer see the whole image.
            places = image_size if "/features/" in weight.path else size
            operations += 2 * np.prod(places) * np.prod(weight.shape)
    return gflops(segmenter.network), float(operations) / 1e9
