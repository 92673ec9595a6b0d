"""Recognizers behind several front ends, trained on half of the identities, tested on the other."""

import keras
import numpy as np

from keras_resample import callbacks, metrics, models
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.recognition import (
    crop_search,
    data,
    front_ends,
    gains,
    products,
    table,
)
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
        self.searched = data.held_out(self.data) if self.settings.search_crop else None
        return self.data.description

    def runs(self):
        seeds, names = self.settings.seeds, self.settings.front_ends
        if not self.settings.search_crop:
            return [Run(name, seed) for seed in seeds for name in names]
        search = crop_search.runs(seeds)
        found = [self.finished(run) for run in search]
        for seed in seeds:
            search += [Run(name, seed) for name in names] + [crop_search.best_crop(seed, found)]
        return search

    def work(self, run):
        part = self._data(run.case).train.num_images / self.data.train.num_images
        return part * (FIXED_WORK + (1.0 if run.method == FULL else self.settings.factor**2))

    def model(self, run):
        train, shape = self._data(run.case).train, self.data.image_shape
        arguments = self.settings, shape, train.num_classes, run.seed
        recognizer = front_ends.build(run.choice or run.method, *arguments)
        steps = len(train) * self.settings.epochs
        schedule = keras.optimizers.schedules.CosineDecay(self.settings.learning_rate, steps)
        recognizer.compile(optimizer=keras.optimizers.Adam(schedule))
        # A checkpoint needs the optimizer's variables; inside the first step they take longer.
        recognizer.build((None, *shape))
        recognizer.optimizer.build(recognizer.trainable_variables)
        return recognizer

    def batches(self, run, epoch):
        train = self._data(run.case).train
        train.seed, train.epoch = run.seed, epoch
        return train

    def fit_options(self, run):
        return {"callbacks": [callbacks.JacobianLogger()] if run.method in LEARNED else []}

    def test(self, run, model, history):
        encoder, tested = model.encoder, self._data(run.case)
        embeddings = encoder.predict(tested.test_images, batch_size=TEST_BATCH, verbose=0)
        record = {
            "front_end": run.method,
            "case": run.case,
            "choice": run.choice,
            "seed": run.seed,
            "gflops": models.gflops(encoder),
            "parameters": encoder.count_params(),
            "encoder_input": _encoder_input(encoder, self.data.image_shape),
            **verification(embeddings, tested.test_labels),
            # Of the last epoch, and only where a grid is learned.
            "folded_cells": history[-1].get("folded_cells"),
            "jacobian_min": history[-1].get("jacobian_min"),
            "history": history,
        }
        return record, {"embeddings": embeddings.astype("float32")}

    def is_timed(self, run):
        return not run.case

    def timed(self, run, model):
        encoder, images = model.encoder, self.data.test_images
        images = np.resize(images, (SPEED_BATCH, *images.shape[1:]))
        layer = front_ends.sampler(encoder)
        alone = None if layer is None else (keras.Model(encoder.input, layer.output), images)
        return {"front_end": alone, "encoder": (encoder, images)}

    def results(self, records, speed):
        search = [record for record in records if record.get("case")]
        records = _compared(records)
        if not records:
            raise SettingError("report", "needs a finished run of a front end in `out`", True)
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
            "gains": gains.gains(records),
            "over_strongest": gains.over_strongest(records),
            "crop_search": crop_search.results(search, self.searched, self.settings.seeds),
            "best": best and crop_search.identity(best),
        }

    def sentence(self, record):
        seconds = sum(epoch["seconds"] for epoch in record["history"])
        if record["eer"] is None:
            return f"training diverged, its embeddings are not finite ({seconds:.0f} s)"
        impostors = self._data(record["case"]).impostor_pairs
        far = table.telling_far(impostors, record["tar"])
        at = f", TAR {100 * record['tar'][far]:.1f} % at FAR {far}" if far else ""
        return f"EER {100 * record['eer']:.2f} %{at} ({seconds:.0f} s)"

    def figures(self, records, load):
        from keras_resample.compare.recognition import figures

        records = _compared(records)
        shown = [record for record in records if record["seed"] == records[0]["seed"]]
        encoders = {
            record["front_end"]: load(crop_search.run_of(record)).encoder for record in shown
        }
        return figures.draw(self.data, encoders, shown)

    def products(self, store, results, load, say):
        return products.write(store, results, self.settings.export, load, say)

    def summary(self, results):
        lines = ["", table.headline(results), "", *table.table_lines(results), ""]
        return lines + table.remarks(results)

    def page(self, results):
        return table.page(results)

    def _data(self, case):
        """What a run is trained and tested on: in a search, training identities alone."""
        return self.searched if case == crop_search.CASE else self.data


def _compared(records):
    """Those that are tested on the test identities."""
    return [record for record in records if not record.get("case")]


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
