"""A segmentation network behind several ways of downsampling, tested at full resolution."""

import keras
import numpy as np

from keras_resample import models
from keras_resample.compare.engine.sources import by
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.segmentation import data, methods, table
from keras_resample.compare.segmentation.names import FULL, parts, variants

# The learning rate is multiplied by these after these parts of the training.
DECAY = {0.6: 0.3, 0.85: 0.1}


class Segmentation(Task):
    """Segmentation behind samplers; see `compare.SegmentationSettings`.

    Reference:
        Jin et al., "Learning to Downsample for Segmentation of Ultra-High Resolution Images", ICLR
        2022.
    """

    reports_all = True
    figure_dots = 100

    def load(self, say):
        say("Reading the images ..." if self.settings.source() else "Drawing the scenes ...")
        self.train, self.tested, description = data.load(self.settings)
        self.weights = data.class_weights(self.train) if self.settings.balance else None
        return description

    def runs(self):
        names = list(variants(self.settings.methods, self.settings.blur_radii))
        return [
            Run(name, seed, by(size))
            for seed in self.settings.seeds
            for size in self.settings.sizes
            for name in names
        ]

    def work(self, run):
        pixels, image = np.prod(size_of(run)), np.prod(self.tested.image_shape[:2])
        method, antialias, _ = parts(run.method)
        whole = (method in ("interpolation", FULL)) + 0.1 * antialias
        return float(pixels + whole * image + 0.02 * image)

    def model(self, run):
        settings, train = self.settings, self.train
        segmenter = methods.segmenter(run.method, size_of(run), settings, train, run.seed)
        steps = settings.epochs * len(self.batches(run, 0))
        at = [int(part * steps) for part in DECAY]
        rates = [settings.learning_rate * factor for factor in (1.0, *DECAY.values())]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(at, rates)
        loss = None  # the cross-entropy
        if settings.loss == "focal":
            loss = keras.losses.CategoricalFocalCrossentropy(from_logits=True)
        # XLA's convolutions on a CPU are several times slower than TensorFlow's own.
        jit_compile = "auto" if keras.backend.backend() == "jax" else False
        segmenter.compile(keras.optimizers.Adam(schedule), loss, jit_compile=jit_compile)
        segmenter.build((None, *self._batches(run, self.tested)[0][0].shape[1:]))
        segmenter.optimizer.build(segmenter.trainable_variables)
        return segmenter

    def batches(self, run, epoch):
        self.train.seed, self.train.epoch = run.seed, epoch
        return self._batches(run, self.train, training=True)

    def fit_options(self, run):
        return {"class_weight": self.weights, "callbacks": [self.train.epoch_callback()]}

    def test(self, run, model, history):
        batches = self._batches(run, self.tested)
        report = models.segmentation_report(model, batches, trimap_widths=table.WIDTHS)
        network, sampler = methods.cost(model, self.tested.image_shape[:2])
        record = {
            "method": run.method,
            "size": size_of(run),
            "seed": run.seed,
            "seconds": sum(epoch["seconds"] for epoch in history),
            "history": history,
            "mean_iou": report["mean_iou"],
            "sampled_mean_iou": report["sampled_mean_iou"],
            "upsampling_iou": report["upsampling_iou"],
            "class_ious": report["class_ious"],
            "upsampling_class_ious": report["class_upsampling_ious"],
            "trimap": dict(zip(map(str, table.WIDTHS), report["trimap_accuracy"], strict=True)),
            "class_frequency_change": report["class_frequency_change"],
            "network_gflops": network,
            "sampler_gflops": sampler,
            "parameters": int(model.count_params()),
        }
        is_shown = run.seed == self.settings.seeds[0]
        return record, self._pictures(model, batches) if is_shown else {}

    def timed(self, run, model):
        return {"inference": (model, self._batches(run, self.tested)[0][0])}

    def results(self, records, speed):
        count = self.tested.num_classes
        return {
            "class_names": self.tested.class_names or [str(i) for i in range(count)],
            "images_per_second": {label: rates["inference"] for label, rates in speed.items()},
        }

    def sentence(self, record):
        return f"mIoU {100 * record['mean_iou']:.1f} % ({record['seconds']:.0f} s)"

    def figures(self, records, load):
        from keras_resample.compare.segmentation import pictures

        return pictures.draw(records, self.tested, self.settings)

    def summary(self, results):
        return table.summary(results)

    def page(self, results):
        return table.page(results)

    def _batches(self, run, dataset, training=False):
        oracle = methods.oracle(run.method, size_of(run), self.settings, self.train.ignore_class)
        return data.Batches(dataset, oracle, training)

    def _pictures(self, model, batches):
        """What pictures of test images need, evenly spread, by "pictures/number/step"."""
        count, arrays = self.settings.pictures, {}
        for half in range(1, 2 * count, 2):
            place = half * self.tested.num_images // (2 * count)
            index, row = divmod(place, self.tested.batch_size)
            steps = model.inspect(batches[index][0])
            for name, array in _picture(steps, row).items():
                arrays[f"pictures/{place}/{name}"] = array
        return arrays


def size_of(run):
    """(height, width) of what a run samples."""
    return tuple(map(int, run.case.split("x")))


def _picture(steps, row):
    """What `plot_segmentation` needs of one image, in few bytes."""
    grid = steps["grid"][row if len(steps["grid"]) > 1 else 0]
    samples = np.clip(steps["sampled_images"][row, ..., :3], 0, 255)
    return {
        "grid": grid.astype("float32"),
        "sampled_images": np.rint(samples).astype("uint8"),
        "sampled_probabilities": steps["sampled_probabilities"][row].argmax(-1).astype("uint8"),
        "probabilities": steps["probabilities"][row].argmax(-1).astype("uint8"),
    }
