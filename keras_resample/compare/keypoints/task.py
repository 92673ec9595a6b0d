"""Digits by vision transformers that learned them upright."""

import statistics

import keras

from keras_resample import models
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.keypoints import data, networks, table
from keras_resample.compare.keypoints.names import TRANSFORMS

DECAY = 0.05
# Share of the training in which the rate rises.
WARM = 0.1
TEST_BATCH = 128


class Keypoints(Task):
    """Digits under affine transforms; see `compare.KeypointSettings`.

    Reference:
        Fig. 1 of "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024.
    """

    reports_all = True

    @classmethod
    def of(cls, settings):
        """The task of these settings, which is another one over faces."""
        from keras_resample.compare.keypoints.face_task import Faces

        return (Faces if settings.faces else cls)(settings)

    def load(self, say):
        say("Reading and warping the digits ...")
        self.data = data.load(self.settings)
        self.warped = {
            transform: [
                data.warped(self.data.test, transform, severity, self.settings)
                for severity in self.settings.severities
            ]
            for transform in TRANSFORMS
        }
        return self.data.description

    def runs(self):
        settings = self.settings
        return [Run(name, seed) for seed in settings.seeds for name in settings.methods]

    def work(self, run):
        return 1.0

    def model(self, run):
        network = self.network(run)
        steps = self.settings.epochs * len(self.batches(run, 0))
        warm = round(WARM * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(steps - warm, 1),
            warmup_target=self.settings.learning_rate,
            warmup_steps=warm,
        )
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=DECAY),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        undecayed = [weight for weight in network.trainable_weights if weight.name != "kernel"]
        network.optimizer.exclude_from_weight_decay(undecayed)
        network.optimizer.build(network.trainable_variables)
        return network

    def network(self, run):
        """The network of a run, not compiled."""
        classes, template = self.data.num_classes, self.data.template
        return networks.build(run.method, self.settings, classes, template, run.seed)

    def batches(self, run, epoch):
        names = networks.input_names(run.method)
        return data.Batches(self.data.train, names, self.settings, run.seed, epoch)

    def fit_options(self, run):
        held = self.data.validation
        inputs = held.inputs(networks.input_names(run.method))
        return {"validation_data": (inputs, held.labels), "validation_batch_size": TEST_BATCH}

    def test(self, run, model, history):
        def accuracy(part):
            inputs = part.inputs(networks.input_names(run.method))
            logits = model.predict(inputs, batch_size=TEST_BATCH, verbose=0)
            return float((logits.argmax(-1) == part.labels).mean())

        by_transform = {name: [accuracy(p) for p in parts] for name, parts in self.warped.items()}
        record = {
            "method": run.method,
            "seed": run.seed,
            "accuracy": accuracy(self.data.test),
            "validation_accuracy": history[-1]["val_accuracy"],
            "transformed": statistics.fmean(sum(by_transform.values(), [])),
            "by_transform": by_transform,
            "gflops": models.gflops(model),
            "parameters": int(model.count_params()),
            "seconds": sum(epoch["seconds"] for epoch in history),
            "history": history,
        }
        return record, {}

    def timed(self, run, model):
        first = self.data.test[:TEST_BATCH]
        return {"inference": (model, first.inputs(networks.input_names(run.method)))}

    def results(self, records, speed):
        return {"images_per_second": {label: rates["inference"] for label, rates in speed.items()}}

    def sentence(self, record):
        upright, transformed = 100 * record["accuracy"], 100 * record["transformed"]
        return (
            f"accuracy upright {upright:.1f} %, transformed {transformed:.1f} % "
            f"({record['seconds']:.0f} s)"
        )

    def figures(self, records, load):
        from keras_resample.compare.keypoints import figures

        strongest = [self.data.test[:1], self.warped["all"][-1][:1]]
        yield from figures.draw(records, load, strongest, self.settings)

    def summary(self, results):
        return [results["data"], "", *table.scores(results), ""]

    def page(self, results):
        return table.page(results)
