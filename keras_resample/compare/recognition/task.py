"""Recognizers behind several front ends, trained on half of the identities, tested on the other."""

import keras
import numpy as np

from keras_resample import callbacks, metrics, models
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.recognition import data, front_ends, products, table
from keras_resample.compare.recognition.names import FULL, LEARNED
from keras_resample.metrics.verification.all_pairs import bounded_pairs

# False accept rates of the table; 1e-4 to 1e-6 are those of the paper.
FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
TEST_BATCH = 64
SPEED_BATCH = 256
# Expected time of an epoch: the pixels a front end leaves, and what a batch costs anyway.
FIXED_WORK = 0.2


class Recognition(Task):
    """Verification by recognizers behind front ends; see `compare.Settings`."""

    def load(self, say):
        say("Reading the images ..." if self.settings.images else "Drawing the palmprints ...")
        self.data = data.load(self.settings)
        return self.data.description

    def runs(self):
        return [
            Run(name, seed) for seed in self.settings.seeds for name in self.settings.front_ends
        ]

    def work(self, run):
        return FIXED_WORK + (1.0 if run.method == FULL else self.settings.factor**2)

    def model(self, run):
        train, shape = self.data.train, self.data.image_shape
        arguments = self.settings, shape, train.num_classes, run.seed
        recognizer = front_ends.build(run.method, *arguments)
        steps = len(train) * self.settings.epochs
        schedule = keras.optimizers.schedules.CosineDecay(self.settings.learning_rate, steps)
        recognizer.compile(optimizer=keras.optimizers.Adam(schedule))
        # A checkpoint needs the optimizer's variables; inside the first step they take longer.
        recognizer.build((None, *shape))
        recognizer.optimizer.build(recognizer.trainable_variables)
        return recognizer

    def batches(self, run, epoch):
        self.data.train.seed, self.data.train.epoch = run.seed, epoch
        return self.data.train

    def fit_options(self, run):
        return {"callbacks": [callbacks.JacobianLogger()] if run.method in LEARNED else []}

    def test(self, run, model, history):
        encoder = model.encoder
        embeddings = encoder.predict(self.data.test_images, batch_size=TEST_BATCH, verbose=0)
        record = {
            "front_end": run.method,
            "seed": run.seed,
            "gflops": models.gflops(encoder),
            "parameters": encoder.count_params(),
            "encoder_input": _encoder_input(encoder, self.data.image_shape),
            **verification(embeddings, self.data.test_labels),
            # Of the last epoch, and only where a grid is learned.
            "folded_cells": history[-1].get("folded_cells"),
            "jacobian_min": history[-1].get("jacobian_min"),
            "history": history,
        }
        return record, {"embeddings": embeddings.astype("float32")}

    def timed(self, run, model):
        encoder, images = model.encoder, self.data.test_images
        images = np.resize(images, (SPEED_BATCH, *images.shape[1:]))
        layer = front_ends.sampler(encoder)
        alone = None if layer is None else (keras.Model(encoder.input, layer.output), images)
        return {"front_end": alone, "encoder": (encoder, images)}

    def results(self, records, speed):
        rows = table.rows(records, speed)
        front_end = table.best(rows)
        own = [r for r in records if r["front_end"] == front_end and r["eer"] is not None]
        best = min(own, key=lambda record: record["eer"], default=None)
        test = self.data
        return {
            "image_shape": test.image_shape,
            "train_identities": test.train.num_classes,
            "train_images": test.train.num_images,
            "test_identities": len(set(test.test_labels.tolist())),
            "test_images": len(test.test_labels),
            "pairs": {"genuine": test.genuine_pairs, "impostor": test.impostor_pairs},
            "rows": rows,
            "gains": table.gains(records),
            "best": best and {"front_end": front_end, "seed": best["seed"]},
        }

    def sentence(self, record):
        seconds = sum(epoch["seconds"] for epoch in record["history"])
        if record["eer"] is None:
            return f"training diverged, its embeddings are not finite ({seconds:.0f} s)"
        far = table.telling_far(self.data.impostor_pairs, record["tar"])
        at = f", TAR {100 * record['tar'][far]:.1f} % at FAR {far}" if far else ""
        return f"EER {100 * record['eer']:.2f} %{at} ({seconds:.0f} s)"

    def figures(self, records, load):
        from keras_resample.compare.recognition import figures

        seed = records[0]["seed"]
        shown = [record for record in records if record["seed"] == seed]
        encoders = {
            record["front_end"]: load(Run(record["front_end"], seed)).encoder for record in shown
        }
        return figures.draw(self.data, encoders, shown)

    def products(self, store, results, load, say):
        return products.write(store, results, self.settings.export, load, say)

    def summary(self, results):
        lines = ["", table.headline(results), "", *table.table_lines(results), ""]
        return lines + table.remarks(results)

    def page(self, results):
        return table.page(results)


def verification(embeddings, labels):
    """TAR at each of `FARS` and EER over all pairs of test images.

    A rate below one impostor pair cannot be measured and is NaN, as everything is for embeddings
    that are not finite.

    Returns:
        dict with "eer" and "tar", a dict from the text of each rate.
    """
    if not np.isfinite(embeddings).all():
        return {"eer": np.nan, "tar": dict.fromkeys(map(_text, FARS), np.nan)}
    scores, same, counts = bounded_pairs(embeddings, labels)
    tars = metrics.tar_at_far(scores, same, FARS, counts=counts)
    return {
        "eer": metrics.eer(scores, same, counts),
        "tar": {_text(far): float(tar) for far, tar in zip(FARS, tars, strict=True)},
    }


def _text(far):
    """A rate as the papers write it: 1e-4."""
    return f"{far:.0e}".replace("e-0", "e-")


def _encoder_input(encoder, image_shape):
    sampler = front_ends.sampler(encoder)
    height, width = image_shape[:2]
    return list((height, width) if sampler is None else sampler.target_size(height, width))
