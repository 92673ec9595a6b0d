"""Fine-grained classes by networks with and without a branch that looks at a part."""

import keras
import numpy as np

from keras_resample import models
from keras_resample.compare.engine.task import Run, Task
from keras_resample.compare.regions import data, networks, simulation, table
from keras_resample.compare.regions.names import parts, variants

MOMENTUM = 0.9
# Keras multiplies weights by 1 - rate * decay. The paper's 5e-4 is added to the gradient, so that
# its momentum makes ten of it.
DECAY = 5e-4 / (1 - MOMENTUM)
# Appendix C: parts of the training after which its rate is warm, and then a tenth of it each.
WARM, COLD, DROPS, DROP = 0.1, 0.1, (0.4, 0.7), 0.1
TEST_BATCH = 64


class Regions(Task):
    """Fine-grained classification by MSGN; see `compare.RegionSettings`.

    Reference:
        "Adaptive Region Pooling for Fine-Grained Representation Learning", submitted to ICLR 2022.
    """

    reports_all = True
    figure_dots = 100

    def load(self, say):
        say("Reading the images ..." if self.settings.source() else "Drawing the beetles ...")
        self.data = data.load(self.settings)
        return self.data.description

    def runs(self):
        settings = self.settings
        names = list(variants(settings.methods, settings.k, settings.local_branches))
        return [Run(name, seed) for seed in settings.seeds for name in names]

    def work(self, run):
        return 1.0 + parts(run.method)[2]

    def model(self, run):
        network = networks.build(run.method, self.settings, self.data.num_classes, run.seed)
        network.compile(
            keras.optimizers.SGD(
                self.settings.learning_rate, momentum=MOMENTUM, weight_decay=DECAY
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            # XLA's convolutions on a CPU are several times slower than TensorFlow's own.
            jit_compile="auto" if keras.backend.backend() == "jax" else False,
        )
        network.optimizer.build(network.trainable_variables)
        return network

    def batches(self, run, epoch):
        size, count = self.data.size, self.settings.batch_size
        return data.Batches(self.data.train, size, count, run.seed, self.data.augment, epoch)

    def fit_options(self, run):
        schedule = keras.callbacks.LearningRateScheduler(self.rate)
        return {"callbacks": [schedule], "validation_data": self._in_order(self.data.validation)}

    def rate(self, epoch, rate=None):
        """The learning rate of an epoch."""
        warm = max(WARM * self.settings.epochs, 1)
        if epoch < warm:
            return self.settings.learning_rate * (COLD + (1 - COLD) * epoch / warm)
        drops = sum(epoch >= part * self.settings.epochs for part in DROPS)
        return self.settings.learning_rate * DROP**drops

    def test(self, run, model, history):
        measured = model.evaluate(self._in_order(self.data.test), verbose=0, return_dict=True)
        images = self._in_order(self.data.test).all_images()
        record = {
            "method": run.method,
            "seed": run.seed,
            "accuracy": measured["accuracy"],
            "validation_accuracy": history[-1]["val_accuracy"],
            "coverage": networks.coverage(model, run.method, self.data.test, images, TEST_BATCH),
            "gflops": models.gflops(model),
            "parameters": int(model.count_params()),
            "seconds": sum(epoch["seconds"] for epoch in history),
            "history": history,
        }
        return record, {}

    def timed(self, run, model):
        return {"inference": (model, self._in_order(self.data.test)[0][0])}

    def results(self, records, speed):
        return {
            "chance": 1 / self.data.num_classes,
            "images_per_second": {label: rates["inference"] for label, rates in speed.items()},
            "simulation": simulation.simulate(sorted({*self.settings.k, *table.SIMULATED_K})),
        }

    def sentence(self, record):
        return f"accuracy {100 * record['accuracy']:.1f} % ({record['seconds']:.0f} s)"

    def figures(self, records, load):
        from keras_resample.compare.regions import figures

        yield from figures.draw(records, load, self.pictured(), self.settings)

    def pictured(self):
        """The test images that are drawn: bytes (n, h, w, 3)."""
        test = self.data.test
        count = min(self.settings.pictures, len(test))
        places = np.linspace(0, len(test) - 1, count).astype(int)
        return self._in_order(test[places]).all_images()

    def summary(self, results):
        return [results["data"], "", *table.scores(results), ""]

    def page(self, results):
        return table.page(results)

    def _in_order(self, part):
        return data.Batches(part, self.data.size, TEST_BATCH)
