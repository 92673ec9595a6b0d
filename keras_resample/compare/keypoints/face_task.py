"""Faces by vision transformers that learned aligned ones of other people."""

import numpy as np

from keras_resample import metrics, models
from keras_resample.compare.keypoints import data, face_data, face_table, networks
from keras_resample.compare.keypoints.names import TITLES, TRANSFORMS, WITH_KEYPOINTS
from keras_resample.compare.keypoints.task import TEST_BATCH, Keypoints

# The false accept rate of the tables.
FAR = 1e-3


class Faces(Keypoints):
    """Verification of faces under affine transforms; see `compare.KeypointSettings`."""

    def load(self, say):
        say("Reading the faces ...")
        self.data = face_data.load(self.settings)
        return self.data.description

    def network(self, run):
        channels = self.data.test.images.shape[-1]
        classes, template = self.data.num_classes, self.data.template
        network = networks.recognizer(
            run.method, self.settings, channels, classes, template, run.seed
        )
        network.build(network.encoder.input_shape)
        return network

    def test(self, run, model, history):
        upright, settings = self.data.test, self.settings
        by_transform = {
            transform: [
                self._verified(run, model, data.warped(upright, transform, severity, settings))
                for severity in settings.severities
            ]
            for transform in transforms(settings)
        }
        record = {
            "method": run.method,
            "seed": run.seed,
            "aligned": self._verified(run, model, upright),
            "by_transform": by_transform,
            "misaligned": face_table.mean(sum(by_transform.values(), [])),
            "keypoints": self._wrong_keypoints(run, model),
            "validation_accuracy": history[-1]["val_accuracy"],
            "gflops": models.gflops(model.encoder),
            "parameters": int(model.encoder.count_params()),
            "seconds": sum(epoch["seconds"] for epoch in history),
            "history": history,
        }
        return record, {}

    def timed(self, run, model):
        return super().timed(run, model.encoder)

    def sentence(self, record):
        aligned, misaligned = (
            face_table.cell([record[name]]) for name in ("aligned", "misaligned")
        )
        return (
            f"TAR / EER aligned {aligned} %, misaligned {misaligned} % ({record['seconds']:.0f} s)"
        )

    def figures(self, records, load):
        from keras_resample.compare.engine.figures import learning_curves
        from keras_resample.compare.keypoints import figures

        by_method = face_table.trainings(records)
        yield (
            "severity",
            figures.by_severity(by_method, self.settings.severities, face_table.tars, "TAR"),
        )
        yield "learning_curves", learning_curves(by_method, TITLES.get)
        # Where faces have their keypoints, and no face.
        size, template = self.settings.size, self.data.template[None]
        nobody = data.Part(np.zeros((1, size, size, 1), "uint8"), template, np.zeros(1))
        strongest = data.warped(nobody, "all", self.settings.severities[-1], self.settings)

        def encoder(run):
            return load(run).encoder

        parts = nobody, strongest
        yield from figures.attention_biases(by_method, encoder, parts, self.settings)

    def summary(self, results):
        return [results["data"], "", *face_table.scores(results), ""]

    def page(self, results):
        return face_table.page(results)

    def _verified(self, run, model, part):
        """TAR and EER over all pairs of a part; none of embeddings that are not finite."""
        inputs = part.inputs(networks.input_names(run.method))
        found = model.encoder.predict(inputs, batch_size=TEST_BATCH, verbose=0)
        if not np.isfinite(found).all():
            return {"tar": None, "eer": None}
        scores, same, counts = metrics.all_pairs_histogram(found, part.labels)
        (tar,) = metrics.tar_at_far(scores, same, [FAR], counts=counts)
        tar = float(tar) if np.isfinite(tar) else None
        return {"tar": tar, "eer": float(metrics.eer(scores, same, counts))}

    def _wrong_keypoints(self, run, model):
        """dict from a kind of keypoints to what is measured aligned and under all transforms."""
        if run.method not in WITH_KEYPOINTS:
            return {}
        parts = {"aligned": self.data.test}
        parts["all"] = data.warped(self.data.test, "all", 1.0, self.settings)
        found = {"exact": {name: self._verified(run, model, p) for name, p in parts.items()}}
        for kind, change in face_data.WRONG.items():
            found[kind] = {
                name: self._verified(
                    run, model, data.Part(part.images, change(part.keypoints), part.labels)
                )
                for name, part in parts.items()
            }
        return found


def transforms(settings):
    """Those that have a range; all of these at once are the last."""
    return [name for name in TRANSFORMS if name == "all" or getattr(settings, name)]
