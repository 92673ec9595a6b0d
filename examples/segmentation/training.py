"""One training of the comparison, and what is measured of it."""

import functools
import time

import keras
import numpy as np

import keras_resample as kr
from keras_resample.compare.engine.progress import Progress, ProgressCallback
from segmentation import methods
from segmentation.data import Batches
from segmentation.names import FULL, parts

WIDTHS = (2, 4, 8, 16, 32)
# The learning rate is multiplied by these after these parts of the training.
DECAY = {0.6: 0.3, 0.85: 0.1}


def train(name, size, seed, options, data, weights, callbacks=()):
    """Trains one method at one size with one seed.

    Returns:
        The `Segmenter` and the seconds that `fit` took.
    """
    segmenter = methods.segmenter(name, size, options, data, seed)
    oracle = methods.oracle(name, size, options, data.ignore_class)
    batches = Batches(data, oracle, training=True)
    steps = options.epochs * len(batches)
    at = [int(part * steps) for part in DECAY]
    rates = [options.learning_rate * factor for factor in (1.0, *DECAY.values())]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(at, rates)
    loss = None  # the cross-entropy
    if options.loss == "focal":
        loss = keras.losses.CategoricalFocalCrossentropy(from_logits=True)
    segmenter.compile(keras.optimizers.Adam(schedule), loss, jit_compile=jit_compile())
    data.seed, data.epoch = seed, 0
    started = time.perf_counter()
    history = segmenter.fit(
        batches,
        epochs=options.epochs,
        shuffle=False,
        verbose=0,
        class_weight=weights,
        callbacks=[data.epoch_callback(), *callbacks],
    )
    seconds = time.perf_counter() - started
    return segmenter, {"seconds": seconds, "history": history.history}


def jit_compile():
    """XLA's convolutions on a CPU are several times slower than TensorFlow's own."""
    return "auto" if keras.backend.backend() == "jax" else False


def evaluate(segmenter, name, size, options, data, num_pictures=0):
    """All that is measured on the test set, and what pictures of its first images need."""
    classes, ignored = data.num_classes, data.ignore_class
    ious = {
        key: keras.metrics.MeanIoU(classes, ignore_class=ignored)
        for key in ("mean_iou", "sampled_mean_iou", "upsampling_iou")
    }
    labels, predictions, sampled_labels, pictures = [], [], [], []
    oracle = methods.oracle(name, size, options, ignored)
    halves = range(1, 2 * num_pictures, 2)  # evenly spread
    shown = {n * data.num_images // (2 * num_pictures) for n in halves}
    batches = Batches(data, oracle)
    perfect = restored_labels()
    for index in range(len(batches)):
        images, label = batches[index]
        steps = segmenter.inspect(images)
        grid = np.broadcast_to(steps["grid"], (len(label), *steps["grid"].shape[1:]))
        sampled, restored = perfect.predict_on_batch({"labels": label[..., None], "grid": grid})
        found = steps["sampled_probabilities"].argmax(-1)
        prediction = steps["probabilities"].argmax(-1).astype("uint8")
        update(ious["mean_iou"], label, prediction, ignored)
        update(ious["sampled_mean_iou"], sampled, found, ignored)
        update(ious["upsampling_iou"], label, restored, ignored)
        labels += list(label)
        predictions += list(prediction)
        sampled_labels += list(sampled)
        first = index * data.batch_size
        for place in shown.intersection(range(first, first + len(label))):
            pictures.append((int(place), picture(steps, place - first)))
    trimap = kr.metrics.trimap_accuracy(labels, predictions, WIDTHS, ignored)
    change = kr.metrics.class_frequency_change(labels, sampled_labels, classes, ignored)
    network, front = methods.cost(segmenter, data.image_shape[:2])
    record = {key: float(metric.result()) for key, metric in ious.items()}
    record |= {
        "class_ious": class_ious(ious["mean_iou"]),
        "upsampling_class_ious": class_ious(ious["upsampling_iou"]),
        "trimap": dict(zip(map(str, WIDTHS), map(float, trimap), strict=True)),
        "class_frequency_change": [float(value) for value in change],
        "network_gflops": network,
        "sampler_gflops": front,
        "parameters": int(segmenter.count_params()),
    }
    return record, pictures


class RestoredLabels(keras.Model):
    """Labels at the places of the samples, and those restored to every pixel."""

    def call(self, inputs):
        labels, grid = inputs["labels"], inputs["grid"]
        sampled = kr.ops.sample(labels, grid, "nearest")
        restored = kr.ops.restore(sampled, grid, tuple(labels.shape[1:3]))
        return sampled[..., 0], restored[..., 0]


@functools.cache
def restored_labels():
    """One for all methods, as it is compiled for each size."""
    model = RestoredLabels()
    model.compile(jit_compile=jit_compile())
    return model


def update(metric, labels, found, ignore_class):
    """Counts a batch; pixels that are restored from an ignored one are left out too."""
    if ignore_class is not None:
        unknown = found == ignore_class
        labels, found = np.where(unknown, ignore_class, labels), np.where(unknown, 0, found)
    metric.update_state(labels.astype("int32"), found.astype("int32"))


def class_ious(metric):
    """IoU of each class of a `MeanIoU`; NaN where it neither occurs nor is found."""
    confusion = keras.ops.convert_to_numpy(metric.total_cm).astype("float64")
    correct = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - correct
    return [float(c / u) if u else float("nan") for c, u in zip(correct, union, strict=True)]


def picture(steps, place):
    """What `plot_segmentation` needs of one image, in few bytes."""
    grid = steps["grid"][place if len(steps["grid"]) > 1 else 0]
    samples = np.clip(steps["sampled_images"][place, ..., :3], 0, 255)
    return {
        "grid": grid.astype("float32"),
        "sampled_images": np.rint(samples).astype("uint8"),
        "sampled_classes": steps["sampled_probabilities"][place].argmax(-1).astype("uint8"),
        "classes": steps["probabilities"][place].argmax(-1).astype("uint8"),
    }


def speed(chosen, size, options, data, weights, calls=9, seconds=20.0):
    """Images per second of whole inference, from images to probabilities of all pixels.

    The methods take turns, so that a change of the machine's load meets all of them.

    Args:
        chosen: names of trainings.
        weights: path of the weights of a training; where there are none it is left out.
    """
    images, labels = data[0]
    chosen = [name for name in chosen if weights(name, size).exists()]
    inputs, taken = {}, {name: [] for name in chosen}
    for name in chosen:
        oracle = methods.oracle(name, size, options, data.ignore_class)
        batch = images if oracle is None else np.concatenate([images, oracle(labels)], axis=-1)
        segmenter = methods.segmenter(name, size, options, data, 0)
        segmenter.build((None, *batch.shape[1:]))
        segmenter.load_weights(weights(name, size))
        segmenter.compile(jit_compile=jit_compile())
        inputs[name] = segmenter, batch
        inputs[name][0].predict_on_batch(batch)
    started = time.perf_counter()
    for turn in range(calls):
        if turn > 2 and time.perf_counter() - started > seconds:
            break
        for name, (segmenter, batch) in inputs.items():
            before = time.perf_counter()
            segmenter.predict_on_batch(batch)
            taken[name].append(time.perf_counter() - before)
    return {name: len(images) / float(np.median(times)) for name, times in taken.items()}


def progress_of(wanted, options, image_shape, report):
    """The `Progress` of all trainings, whose work is estimated from their pixels."""
    height, width = image_shape[:2]
    work = {}
    for key, (name, size, _) in wanted.items():
        method, antialias, _ = parts(name)
        whole = (method in ("interpolation", FULL)) + 0.1 * antialias
        work[key] = size[0] * size[1] + whole * height * width + 0.02 * height * width
    return Progress(work, options.epochs, report)


def progress_callback(progress, key):
    """Tells the `Progress` about the batches of a training."""
    return ProgressCallback(progress, key)
