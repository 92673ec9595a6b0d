"""A sampler and a segmentation network trained together by `fit(images, labels)`."""

import types

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_integer, as_number, check_choice
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.losses.edge_loss import EdgeLoss
from keras_resample.metrics.segmentation.class_map_iou import mean_iou_metric
from keras_resample.metrics.segmentation.confusion import class_ious
from keras_resample.models.steps.class_maps import ClassMaps
from keras_resample.models.steps.eagerness import run_as
from keras_resample.models.steps.label_map_model import LabelMapModel
from keras_resample.models.steps.labelled_model import IMAGES, LABELS
from keras_resample.models.steps.sampled_segmentation import (
    CLASSES,
    GRID,
    PROBABILITIES,
    SALIENCY,
    SAMPLED_PROBABILITIES,
    TARGETS,
    restore_classes,
    restore_map,
    sample_labels,
    sample_weights,
    segment_samples,
)
from keras_resample.models.steps.segmentation_checks import (
    as_edge_weight,
    as_from_logits,
    check_image_batch,
    number_of_classes,
)
from keras_resample.models.steps.segmentation_loss import SegmentationLoss, saliency_and_edges

# The weight of the edge loss in the paper, where both losses are of the same scale.
EDGE_WEIGHT = 100.0


@keras.saving.register_keras_serializable(package="keras_resample")
class Segmenter(LabelMapModel):
    """Samples images, segments the samples, and writes the classes back to every pixel.

    An ordinary `keras.Model`: `fit`, `evaluate` and the `*_on_batch` methods take images and label
    maps of the same size from any data source Keras accepts. Training happens in the deformed
    space: the labels are sampled at the same places as the images, by the nearest pixel, so that
    no class is invented. `predict` and `segmenter(images)` restore the probabilities to every
    pixel of the image, and so does the exported model.

        loss = L(network(X'), Y') + edge_weight * L_edge(saliency, edges of Y) + added losses

    with X' and Y' the sampled images and labels and L the loss given to `compile` (by default the
    cross-entropy). L is a mean over the pixels that are not ignored. The edge loss (`EdgeLoss`)
    draws the samples to the borders of classes; it belongs to samplers with a saliency map.
    `sample_weight` is a weight for each image, or for each of its pixels `(b, H, W)`; an image's
    weight counts in the edge loss too. `class_weight` counts in training, in L only.

    The loss of `compile` is any one loss of labels and scores of pixels. Keras's own losses see
    one-hot labels, except the sparse ones, which see integers, as losses of your own do. A loss
    with `from_logits=True` sees logits, any other probabilities. The metrics of `compile` see in
    the deformed space what the loss sees. With `ignore_class` all of them are weighted: ignored
    pixels by 0.

    In the log: `sampled_mean_iou`, the mean IoU in the deformed space; `edge_loss` without its
    weight, where there is one; and in `evaluate` and validation `mean_iou`, that of the restored
    classes at full resolution. Neither is weighted. `class_ious()` has the classes of the last
    evaluation. On JAX they count up to 2^31 pixels of a class.

    Args:
        sampler: A `GridSampler` such as `SaliencySampler` or `UniformDownsample`.
        network: A `keras.Model` or layer from sampled images to scores `(b, *, *, classes)`, as
            the sampler's `data_format` says. A map smaller or larger than the sample is resized
            to it, bilinearly.
        edge_weight: Weight of the edge loss. `None` is 100, the paper's, for a sampler with a
            saliency map, and 0 for others.
        ignore_class: Label of pixels that belong to no class, such as 255, or `None`.
        from_logits: Whether the network returns logits; otherwise probabilities.
        restore_interpolation: `"nearest"` (each pixel takes the prediction of the nearest grid
            point) or `"bilinear"`.
        edge_sigma: Blur of the labels before their edges are taken, in pixels of the saliency map.
        binary_edges: Whether every change of class is an edge of the same strength; otherwise it
            grows with the difference of the class ids, as in the paper.
        **kwargs: Arguments of `keras.Model`. Without a `dtype`, that of the network: under
            "mixed_float16" `compile` scales the loss.

    Call arguments:
        inputs: Images, of any dtype; integers are cast after they are sampled.
        training: Whether the layers run in training mode.

    Input shape:
        `(b, H, W, channels)` or `(b, channels, H, W)`, as the sampler's `data_format` says; labels
        are integers `(b, H, W)`.

    Output shape:
        `(b, H, W, classes)` or `(b, classes, H, W)`, float32: probabilities.

    Raises:
        ValueError: For a sampler or network of another type, a network that returns no map of
            scores or whose last layer contradicts `from_logits`, samples larger than the image,
            labels of another size than the images, weights of classes that there are not, and for
            label arrays with a class id that the network does not have or an ignored one without
            `ignore_class`, before anything is trained. Labels that come in batches (a `PyDataset`,
            a `tf.data.Dataset`, a `DataLoader`) are checked as they come, where the backend can
            see them; inside a compiled step an unknown class id makes the loss NaN.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> inputs = keras.Input((None, None, 3))
    >>> scores = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    >>> network = keras.Model(inputs, scores)
    >>> sampler = kr.layers.UniformDownsample(size=(16, 16))
    >>> segmenter = kr.models.Segmenter(sampler, network, ignore_class=255)
    >>> segmenter.compile(optimizer="adam")
    >>> images = np.random.randint(0, 256, (4, 64, 64, 3), "uint8")
    >>> labels = np.random.randint(0, 4, (4, 64, 64), "uint8")
    >>> history = segmenter.fit(images, labels, verbose=0)
    >>> sorted(history.history)
    ['loss', 'sampled_mean_iou']
    >>> segmenter.predict(images, verbose=0).shape
    (4, 64, 64, 4)
    >>> sorted(segmenter.evaluate(images, labels, verbose=0, return_dict=True))
    ['loss', 'mean_iou', 'sampled_mean_iou']
    >>> segmenter.class_ious().shape
    (4,)

    Reference:
        - [Jin et al., 2022](https://arxiv.org/abs/2109.11071)
    """

    parts = ("sampler", "network")

    def __init__(
        self,
        sampler,
        network,
        edge_weight=None,
        ignore_class=None,
        from_logits=True,
        restore_interpolation="nearest",
        edge_sigma=1.0,
        binary_edges=False,
        **kwargs,
    ):
        if not isinstance(sampler, GridSampler):
            raise ValueError(f"`sampler` must be a GridSampler. Received: {sampler=}")
        if not isinstance(network, keras.Layer):
            raise ValueError(f"`network` must be a keras.Model or layer. Received: {network=}")
        check_choice(restore_interpolation, "restore_interpolation", ("nearest", "bilinear"))
        from_logits = as_from_logits(from_logits, network)
        if ignore_class is not None:
            ignore_class = as_integer(ignore_class, "ignore_class", minimum=None)
        super().__init__(**{"dtype": network.dtype_policy, **kwargs})
        self.sampler = sampler
        self._channels_first = sampler.data_format == "channels_first"
        self.network = network
        self.edge_weight = as_edge_weight(edge_weight, sampler)
        self.ignore_class = ignore_class
        self.from_logits = from_logits
        self.restore_interpolation = restore_interpolation
        self.edge_sigma = as_number(edge_sigma, "edge_sigma", "[0, inf)")
        self.binary_edges = as_bool(binary_edges, "binary_edges")
        usual_weight = EDGE_WEIGHT if hasattr(sampler, "saliency_map") else 0.0
        self._edge_factor = usual_weight if edge_weight is None else self.edge_weight
        self.edge_loss = EdgeLoss()
        self.edge_tracker = keras.metrics.Mean("edge_loss") if self._edge_factor else None
        self._pixel_loss = None
        # In an object that Keras does not look into: the model would be saved in its own model.
        self._held = types.SimpleNamespace(class_maps=None)
        # The network's layers cast the samples to what they compute in.
        self.autocast = False

    def build(self, input_shape):
        check_image_batch(input_shape, self.sampler.data_format)
        if not self.sampler.built:
            self.sampler.build(input_shape)
        sample_shape = self.sampler.compute_output_shape(input_shape)
        if not self.network.built:
            self.network.build(sample_shape)
        output_shape = self.network.compute_output_shape(sample_shape)
        self.num_classes = number_of_classes(output_shape, self.sampler.data_format)
        arguments = self.num_classes, self.ignore_class
        self.sampled_mean_iou = mean_iou_metric("sampled_mean_iou", *arguments)
        self.mean_iou = mean_iou_metric("mean_iou", *arguments)

    def call(self, inputs, training=None):
        in_step = isinstance(inputs, dict)
        images = inputs[IMAGES] if in_step else inputs
        check_image_batch(images.shape, self.sampler.data_format)
        found = segment_samples(self.sampler, self.network, images, self.from_logits, training)
        samples = found[SAMPLED_PROBABILITIES], found[GRID], images, self.restore_interpolation
        if not in_step:
            return restore_map(self.sampler, *samples)
        if LABELS not in inputs:
            return {**found, PROBABILITIES: restore_map(self.sampler, *samples)}
        arguments = inputs[LABELS], found[GRID], images, self._unknown_class()
        found[TARGETS] = sample_labels(self.sampler, *arguments)
        if not training:
            found[CLASSES] = restore_classes(self.sampler, *samples)
        return found

    def inspect(self, images):
        """What happens to images, step by step, for plots.

        Args:
            images: Array `(b, H, W, channels)`, one batch.

        Returns:
            Dict of numpy arrays: `"grid"` (b or 1, h', w', 2), `"sampled_images"`, `"logits"` (if
            the network gives these) and `"sampled_probabilities"` (b, h', w', classes),
            `"probabilities"` (b, H, W, classes) and, where the sampler has one, `"saliency"`
            (b, *, *). Logits and sampled probabilities are channels-last.
        """
        self.build_for(images)
        return self.predict_on_batch({IMAGES: images})

    def predict_classes(self, images, batch_size=None, verbose=0, steps=None):
        """The most probable class of every pixel, without a map of probabilities for each class.

        Args:
            images, batch_size, verbose, steps: As in `keras.Model.predict`.

        Returns:
            Numpy int32 array (n, H, W), in the order of the images also of a dataset that shuffles.
        """
        return self.class_maps().predict(images, batch_size, verbose, steps)

    def class_maps(self):
        """A model from images to their classes (b, H, W), int32, with the weights of this one.

        `kr.export.saved_model(segmenter.class_maps(), path, output_name="classes")` serves it.
        """
        if self._held.class_maps is None or not self._held.class_maps.built:
            self._held.class_maps = ClassMaps(self)
        return run_as(self._held.class_maps, self)

    def class_ious(self, sampled=False):
        """Intersection over union of each class in the last evaluation.

        Args:
            sampled: Whether to compare in the deformed space, instead of at full resolution.

        Returns:
            Numpy float array (classes,), NaN for classes that neither occur nor are predicted.
        """
        if not self.built:
            raise ValueError("Evaluate before `class_ious`. Received: an unbuilt model")
        metric = self.sampled_mean_iou if sampled else self.mean_iou
        return class_ious(ops.convert_to_numpy(metric.total_cm), self.ignore_class)

    def scores_of(self, loss, metrics, weighted_metrics):
        """The loss and the metrics of pixels; without a loss, the cross-entropy."""
        if loss is None:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=self.from_logits)
        self._pixel_loss = SegmentationLoss(loss, self.from_logits, self.ignore_class)
        self._pixel_loss.check_metrics(metrics, weighted_metrics)
        if self.ignore_class is not None:  # so that ignored pixels count in no metric
            given = keras.tree.flatten([metrics or [], weighted_metrics or []])
            metrics, weighted_metrics = None, given or None
        return loss, metrics, weighted_metrics

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of a step, as `keras.Model.compute_loss`."""
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, *self._symbolic(y, y_pred), None, training)
        class_weights = self.class_weights if training else None
        weights = sample_weights(self.sampler, sample_weight, y_pred[GRID])
        pixels = self._pixel_loss.arguments(y_pred, weights, class_weights)
        loss = super().compute_loss(x, *pixels, training)
        if self.edge_tracker is not None:
            options = self.edge_sigma, self.binary_edges, self.ignore_class
            saliency, edges = saliency_and_edges(y_pred[SALIENCY], y, *options)
            of_images = None if weights is None or len(sample_weight.shape) == 3 else sample_weight
            value = self.edge_loss(edges, saliency, of_images)
            self.edge_tracker.update_state(ops.stop_gradient(value), sample_weight=ops.shape(y)[0])
            loss = ops.add(loss, ops.multiply(value, self._edge_factor))
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of a step, as `keras.Model.compute_metrics`."""
        if not isinstance(y_pred, dict):
            return super().compute_metrics(x, *self._symbolic(y, y_pred))
        found = ops.argmax(y_pred[SAMPLED_PROBABILITIES], axis=-1)
        self.sampled_mean_iou.update_state(y_pred[TARGETS], found)
        if CLASSES in y_pred:
            self.mean_iou.update_state(y, y_pred[CLASSES])
        weights = sample_weights(self.sampler, sample_weight, y_pred[GRID])
        pixels = self._pixel_loss.metric_arguments(y_pred, weights)
        logs = super().compute_metrics(x, *pixels)
        if CLASSES not in y_pred:  # nothing is restored in training
            logs.pop("mean_iou")
        return logs

    def compute_output_shape(self, input_shape):
        batch, *axes = input_shape
        if self._channels_first:
            return (batch, self.num_classes, *axes[1:])
        return (batch, *axes[:2], self.num_classes)

    def get_config(self):
        return {
            **super().get_config(),
            "sampler": keras.saving.serialize_keras_object(self.sampler),
            "network": keras.saving.serialize_keras_object(self.network),
            "edge_weight": self.edge_weight,
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "restore_interpolation": self.restore_interpolation,
            "edge_sigma": self.edge_sigma,
            "binary_edges": self.binary_edges,
        }

    def _symbolic(self, labels, probabilities):
        return self._pixel_loss.symbolic_arguments(labels, probabilities, self._channels_first)
