"""Measuring embeddings while a model trains."""

import warnings

import keras
import numpy as np

from keras_resample.arguments import as_bool, as_integer, check_choice
from keras_resample.callbacks.best_model import SUFFIXES, BestModel
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.flip_embedder import FlipEmbedder


class EmbeddingCallback(keras.callbacks.Callback):
    """When embeddings are measured, and with which model; the log, and the file of the best model.

    A subclass gives `measured()`, the numbers by name, and `mode_of(monitor)`, which of them are
    better the higher. It embeds an `ImageSet` by `embed`; `bad_rows` says what is not finite.

    Args:
        monitor, mode, filepath, save_weights_only, initial_value_threshold: As in
            `VerificationCallback`.
        every, unit, flip, encoder, batch_size, verbose: As in `VerificationCallback`.

    Attributes:
        title: What is measured, for the progress.
    """

    title = "Embeddings"

    def __init__(
        self,
        monitor,
        mode,
        filepath,
        save_weights_only,
        initial_value_threshold,
        every,
        unit,
        flip,
        encoder,
        batch_size,
        verbose,
    ):
        super().__init__()
        check_choice(mode, "mode", ("auto", "max", "min"))
        check_choice(unit, "unit", ("epoch", "batch"))
        check_choice(verbose, "verbose", ("auto", 0, 1, 2))
        save_weights_only = as_bool(save_weights_only, "save_weights_only")
        suffix = SUFFIXES[save_weights_only]
        if filepath is not None and not str(filepath).endswith(suffix):
            raise ValueError(f"`filepath` must end in {suffix}. Received: {filepath=}")
        if encoder is not None and not isinstance(encoder, keras.Model):
            raise ValueError(f"`encoder` must be a keras.Model. Received: {encoder=}")
        self.monitor, self.mode = monitor, mode
        self.filepath, self.save_weights_only = filepath, save_weights_only
        self.initial_value_threshold = initial_value_threshold
        self.every, self.unit = as_integer(every, "every"), unit
        self.flip = as_bool(flip, "flip")
        self.encoder, self.verbose = encoder, verbose
        self.batch_size = as_integer(batch_size, "batch_size")
        self.numbers = {}
        self._keeper = None
        self._failed = False
        self._flip_embedder = None
        self._epoch, self._batches, self._fresh = 0, 0, False
        if unit == "batch":
            # Keras waits for the numbers of every batch if a callback has this method.
            self.on_train_batch_end = self._batch_end

    @property
    def best(self):
        """The best value of `monitor` so far, or `None`."""
        return self.initial_value_threshold if self._keeper is None else self._keeper.best

    def evaluate(self):
        """Embed all images and measure now.

        Returns:
            Dict of the numbers, as they join the log.
        """
        self._failed = False
        self.numbers = self.measured()
        return self.numbers

    def measured(self):
        """Dict of the numbers, as they join the log."""
        raise NotImplementedError

    def mode_of(self, monitor):
        """ "max", "min", or "auto" to tell by the name."""
        raise NotImplementedError

    def embed(self, one):
        """Embeddings of an `ImageSet`, float32 (n, dim)."""
        # On JAX, asking for the model brings the current values back to its variables.
        embedder, verbose = self._embedder(self.model), self._verbosity()
        if verbose == 1:
            print(f"\n{self.title} of {one.name!r}")
        return one.embeddings(embedder, self.batch_size, int(verbose == 1))

    def bad_rows(self, one, embeddings):
        """Which embeddings are not finite, bool (n,): a warning, and the end if it is all."""
        bad = ~np.isfinite(embeddings.reshape(len(embeddings), -1)).all(axis=1)
        if bad.any():
            self._failed |= bool(bad.all())
            warnings.warn(
                f"The numbers of {one.name!r} are NaN: {bad.sum()} of its {len(bad)} embeddings "
                f"are not finite, the first in row {int(bad.argmax())}. Look at that image; if the "
                "loss is NaN too, lower the learning rate.",
                stacklevel=2,
            )
        return bad

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._fresh, self._seen = epoch, False, -1

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        if self.unit == "epoch" and (epoch + 1) % self.every == 0:
            self._evaluate_and_keep(logs)
        elif self._fresh:
            logs.update(self.numbers)

    def _batch_end(self, batch, logs=None):
        # With several steps in one execution the batch number jumps.
        before, self._batches = self._batches, self._batches + batch - self._seen
        self._seen = batch
        if self._batches // self.every > before // self.every:
            self._evaluate_and_keep({}, batch)
            self._fresh = True

    def _evaluate_and_keep(self, logs, batch=None):
        logs.update(self.evaluate())
        if self._failed:
            self.model.stop_training = True
            return
        monitor = self.monitor or next(iter(self.numbers))
        check_choice(monitor, "monitor", sorted(logs))
        if self._keeper is None:
            self._keeper = BestModel(
                monitor,
                self.mode_of(monitor),
                self.filepath,
                self.save_weights_only,
                self.initial_value_threshold,
            )
        fields = {**logs, "epoch": self._epoch + 1, "batch": 0 if batch is None else batch + 1}
        path = self._keeper.update(self.model, logs[monitor], fields)
        verbose = self._verbosity()
        if verbose and (self.unit == "batch" or path):
            line = " - ".join(f"{name}: {value:.4f}" for name, value in self.numbers.items())
            print(f"\n{line}" + (f"; saved to {path}" if path else ""))

    def _embedder(self, model):
        encoder = self.encoder
        if encoder is None:
            encoder = model.encoder if isinstance(model, Recognizer) else model
        if not self.flip:
            return encoder
        if self._flip_embedder is None or self._flip_embedder.encoder is not encoder:
            self._flip_embedder = FlipEmbedder(encoder)
        return self._flip_embedder

    def _verbosity(self):
        if not keras.config.is_interactive_logging_enabled():
            return 0
        if self.verbose != "auto":
            return self.verbose
        verbose = (self.params or {}).get("verbose", 1)
        return 1 if verbose == "auto" else int(verbose)
