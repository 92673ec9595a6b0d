"""Recognizers of images of several resolutions, verified on other people."""

import keras
import numpy as np

from keras_resample import models
from keras_resample.compare.engine import report
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.resolutions import data, networks, table, verification
from keras_resample.compare.resolutions.names import BICUBIC, HIGH, SCRATCH, TRUNKS

TEST_BATCH = 64
# Expected time of an epoch of a small image's network, over that of the trunk.
SMALL_WORK = 0.4


class Resolutions(Task):
    """Verification within and across resolutions; see `compare.ResolutionSettings`.

    Reference:
        Tables 2 and 4 of "Learning Unified Representations for Multi-Resolution Face Recognition".
    """

    def load(self, say):
        say("Reading the faces ..." if self.settings.faces else "Drawing the palmprints ...")
        self.data = data.load(self.settings)
        if set(self.settings.methods) - set(TRUNKS):
            networks.check_resolutions(self.settings, self.data.test_images.shape[1:])
        return self.data.description

    def runs(self):
        settings = self.settings
        wanted = set(settings.methods)
        if wanted - set(TRUNKS):
            wanted.add(settings.base)
        names = [name for name in TRUNKS if name in wanted]
        found = []
        for seed in settings.seeds:
            found += [Run(name, seed) for name in names]
            found += [
                Run(name, seed, case)
                for case in [*settings.sizes()][1:]
                for name in settings.methods
                if name not in TRUNKS
            ]
        return found

    def work(self, run):
        return SMALL_WORK if run.case else 1.0

    def epochs(self, run):
        return 0 if run.method == self.settings.base == HIGH else self.settings.epochs

    def model(self, run):
        settings, shape = self.settings, self.data.test_images.shape[1:]
        if run.method in TRUNKS:
            classes = self.data.train.num_classes
            model, loss = networks.whole(run.method, settings, shape, classes, run.seed), None
            if settings.trunk is not None:
                images, labels = self.data.train.arrays()
                model.head.set_class_means(self._embedded(networks.trunk_of(model), images), labels)
        else:
            trunk, size = self.trained(Run(settings.base, run.seed)), settings.sizes()[run.case]
            model, loss = networks.branch(run.method, size, trunk, settings, run.seed)
        fresh = run.method in ([SCRATCH] if settings.trunk else [*TRUNKS, SCRATCH])
        rate = settings.learning_rate if fresh else settings.branch_learning_rate
        steps = len(self.data.train) * settings.epochs
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
        model.compile(optimizer, **({} if loss is None else {"loss": loss}))
        if isinstance(model, models.Recognizer):
            model.build((None, *shape))
        model.optimizer.build(model.trainable_variables)
        return model

    def batches(self, run, epoch):
        self.data.train.seed, self.data.train.epoch = run.seed, epoch
        return self.data.train

    def test(self, run, model, history):
        encoder = networks.encoder_of(model)
        record = {"method": run.method, "seed": run.seed, "size": self._case(run)}
        if run.case:
            arrays = {run.case: self._embedded(encoder, self.data.test_images)}
            record["gflops"] = models.gflops(networks.served(model))
            record["parameters"] = networks.added_parameters(model)
        else:
            arrays = self._at_every_resolution(run, networks.trunk_of(model))
            trunk = networks.trunk_of(model)
            record["gflops"] = models.gflops(trunk)
            record["parameters"] = sum(int(np.prod(w.shape)) for w in trunk.trainable_weights)
        record["same"] = {
            name: verification.measured(found, self.data.test_labels, self.data.pairs)
            for name, found in arrays.items()
        }
        record["seconds"] = sum(epoch["seconds"] for epoch in history)
        record["history"] = history
        return record, arrays

    def timed(self, run, model):
        images = self.data.test_images[:TEST_BATCH]
        if not run.case:
            return {"inference": (networks.trunk_of(model), images)}
        own = data.reduced(images, self.settings.sizes()[run.case])
        trunk = networks.trunk_of(self.trained(Run(self.settings.base, run.seed)))
        return {"inference": (networks.served(model), own), "enlarged": (trunk, images)}

    def results(self, records, speed):
        return {
            "sizes": list(self.settings.sizes()),
            "verified": verification.of_records(
                records, self.data.test_labels, self.settings, self.data.pairs
            ),
            "speed": speed,
        }

    def sentence(self, record):
        eers = {name: report.mean_std([one["eer"]]) for name, one in record["same"].items()}
        found = ", ".join(f"{name} {report.percent(eer, 2)} %" for name, eer in eers.items())
        return f"EER at {found} ({record['seconds']:.0f} s)"

    def figures(self, records, load):
        from keras_resample.compare.resolutions import figures

        yield from figures.draw(records, load, self.data.test_images[:1], self.settings)

    def summary(self, results):
        return [results["data"], "", *table.verified(results), ""]

    def page(self, results):
        return table.page(results)

    def _case(self, run):
        return run.case or next(iter(self.settings.sizes()))

    def _at_every_resolution(self, run, trunk):
        """Embeddings of the test images as they are, and reduced and enlarged again."""
        images, ((full, size), *others) = self.data.test_images, self.settings.sizes().items()
        arrays = {full: self._embedded(trunk, images)}
        for case, small_size in others:
            small = data.reduced(images, small_size)
            arrays[case] = self._embedded(trunk, data.enlarged(small, size))
            if run.method == HIGH:
                sharp = data.enlarged(small, size, BICUBIC)
                arrays[f"{case} {BICUBIC}"] = self._embedded(trunk, sharp)
        return arrays

    def _embedded(self, encoder, images):
        return encoder.predict(images, batch_size=TEST_BATCH, verbose=0).astype("float32")
