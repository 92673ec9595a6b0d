"""The ways of downsampling that are compared, each as a `Segmenter`."""

import keras
import numpy as np

from keras_resample import layers, models
from keras_resample.compare.segmentation import networks
from keras_resample.compare.segmentation.data import EdgeOracle
from keras_resample.compare.segmentation.names import EDGE_BASED, FULL, MEAN, parts

# Density far from every edge, over that on one.
FLOOR = 0.02
# Full width at half maximum of a Gaussian over its standard deviation.
FWHM = 2 * (2 * np.log(2)) ** 0.5


def oracle(name, size, settings, ignore_class):
    """What gives the density of edge-based sampling, None for other methods."""
    method, _, radius = parts(name)
    if method != EDGE_BASED:
        return None
    return EdgeOracle(map_size(size, settings), radius or settings.blur_radii[0], ignore_class)


def map_size(size, settings):
    return tuple(settings.map_scale * n for n in size)


def sampler(name, size, settings, image_size):
    """The sampler of a training."""
    method, antialias, _ = parts(name)
    if method == FULL:
        return layers.UniformDownsample(size=image_size)
    if method == "uniform":
        return layers.UniformDownsample(size=size, antialias=antialias)
    if method == MEAN:
        return layers.GridSampler(size=size, antialias=True)
    if method == "interpolation":
        return layers.LearnedResizer(size)
    cells = map_size(size, settings)
    sigma = settings.sigma * settings.map_scale
    return layers.SaliencySampler(
        size=size,
        saliency=edge_density() if method == EDGE_BASED else layers.DeformationModule(),
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


def segmenter(name, size, settings, dataset, seed):
    """The `Segmenter` of a training; one seed gives every method the same initial network."""
    keras.utils.set_random_seed(seed)
    method, *_ = parts(name)
    image_size = dataset.image_shape[:2]
    channels = 4 if method == EDGE_BASED else 3
    sampled = image_size if method == FULL else size
    shape = (*sampled, channels)
    network = networks.build(settings.network, shape, dataset.num_classes, settings.width)
    return models.Segmenter(
        sampler(name, size, settings, image_size),
        network,
        edge_weight=settings.edge_weight if method == "joint" else 0,
        ignore_class=dataset.ignore_class,
        binary_edges=settings.binary_edges,
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
    return models.gflops(segmenter.network), float(operations) / 1e9
