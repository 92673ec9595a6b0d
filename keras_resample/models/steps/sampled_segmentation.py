"""From images to scores of their samples, and back to every pixel."""

from keras import ops

from keras_resample.models.steps.segmentation_checks import check_sample_size, number_of_classes
from keras_resample.ops.grids import resize_field

SAMPLED, GRID, SALIENCY = "sampled_images", "grid", "saliency"
LOGITS, SAMPLED_PROBABILITIES, PROBABILITIES = "logits", "sampled_probabilities", "probabilities"
TARGETS, CLASSES = "targets", "classes"


def segment_samples(sampler, network, images, from_logits, training=None):
    """The samples of images, where they are, and what the network says of them.

    Returns:
        Dict: SAMPLED images, GRID, SALIENCY if the sampler has one, LOGITS if the network gives
        them, and SAMPLED_PROBABILITIES. The last two are (b, h', w', classes), float32.
    """
    images = ops.convert_to_tensor(images)
    found = {}
    if hasattr(sampler, "saliency_map"):
        found[SALIENCY] = sampler.saliency_map(images, training=training)
        displacement = sampler.displacement_from_saliency(found[SALIENCY], images)
        found[SAMPLED], found[GRID] = sampler.read(images, displacement, True, training)
    else:
        found[SAMPLED], found[GRID] = sampler(images, return_grid=True, training=training)
    size = tuple(ops.shape(found[GRID])[1:3])
    check_sample_size(size, sampler.image_size(ops.shape(images)))
    scores = network(found[SAMPLED], training=training)
    number_of_classes(tuple(scores.shape), sampler.data_format)  # raises for what is no map
    if sampler.data_format == "channels_first":
        scores = ops.transpose(scores, (0, 2, 3, 1))
    scores = _resized(ops.cast(scores, "float32"), size)
    if from_logits:
        found[LOGITS] = scores
        scores = ops.softmax(scores, axis=-1)
    found[SAMPLED_PROBABILITIES] = scores
    return found


def restore_map(sampler, values, grid, images, interpolation):
    """Values (b, h', w', c) at every pixel of the images, channels where the sampler has them."""
    if sampler.data_format == "channels_first":
        values = ops.transpose(values, (0, 3, 1, 2))
    return sampler.restore(values, grid, sampler.image_size(ops.shape(images)), interpolation)


def restore_classes(sampler, probabilities, grid, images, interpolation):
    """The most probable class (b, H, W) at every pixel of the images."""
    axis = 1 if sampler.data_format == "channels_first" else -1
    if interpolation == "nearest":  # a class map is smaller than its probabilities
        classes = ops.argmax(probabilities, axis=-1, keepdims=True)
        return ops.squeeze(restore_map(sampler, classes, grid, images, interpolation), axis)
    restored = restore_map(sampler, probabilities, grid, images, interpolation)
    return ops.argmax(restored, axis=axis)


def sample_map(sampler, values, grid):
    """A map (b, H, W) of labels or weights at the places of the samples, (b, h', w')."""
    axis = 1 if sampler.data_format == "channels_first" else -1
    values = ops.expand_dims(ops.convert_to_tensor(values), axis)
    return ops.squeeze(sampler.sample(values, grid, interpolation="nearest"), axis)


def sample_labels(sampler, labels, grid, images, unknown):
    """Labels (b, H, W) at the places of the samples, int32.

    Where only the step knows that labels and images differ in size, all of them are `unknown`.
    """
    size, expected = tuple(ops.shape(labels))[1:], sampler.image_size(ops.shape(images))
    labels = sample_map(sampler, labels, grid)
    labels = ops.cast(labels, "int32")
    for side, other in zip(size, expected, strict=True):
        if not (isinstance(side, int) and isinstance(other, int)):
            labels = ops.where(ops.equal(side, other), labels, unknown)
    return labels


def sample_weights(sampler, weights, grid):
    """Weights of images as (b, 1, 1), weights of their pixels at the samples, (b, h', w')."""
    if weights is None:
        return None
    shape = tuple(weights.shape)
    if len(shape) == 3:
        return sample_map(sampler, weights, grid)
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return ops.reshape(weights, (-1, 1, 1))
    raise ValueError(
        "`sample_weight` must have shape (b,), one weight for each image, or (b, H, W), one for "
        f"each pixel. Received: sample_weight.shape={shape}"
    )


def _resized(scores, size):
    """Scores (b, *, *, classes) at a size that only the step may know."""
    found = tuple(ops.shape(scores)[1:3])
    if not all(isinstance(n, int) for n in (*found, *size)):
        return resize_field(scores, *size)
    if found == size:
        return scores
    return ops.image.resize(scores, size, "bilinear", data_format="channels_last")
