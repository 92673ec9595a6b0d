"""Verification protocols while a model trains."""

import warnings

import keras
import numpy as np

from keras_resample.arguments import as_integer, check_choice
from keras_resample.callbacks.best_model import SUFFIXES, BestModel
from keras_resample.callbacks.protocol_checks import check_protocols, default_protocol
from keras_resample.callbacks.protocol_numbers import mode_of_number, protocol_numbers
from keras_resample.callbacks.verification_set import verification_sets
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.flip_embedder import FlipEmbedder


class VerificationCallback(keras.callbacks.Callback):
    """Measures embeddings on verification sets during `fit` and keeps the best model.

    At the end of an epoch (or every few batches) the images of each set are embedded batch by
    batch, the protocol is run on the embeddings, and its numbers join the log of the epoch as
    `<name of the set>_<name of the number>`. With the defaults these are `verification_accuracy`
    and `verification_accuracy_std`, the ten-fold accuracy of LFW.

    The history, the progress bar, and every callback that comes later in the list see the
    numbers: name this callback before `CSVLogger`, `TensorBoard`, `EarlyStopping`,
    `ReduceLROnPlateau` and `ModelCheckpoint`. Those that monitor one of the numbers need their
    `mode`. As with `validation_freq` of `fit`, epochs without an evaluation have no numbers.

    Where an embedding is NaN or infinite, the numbers of its set are NaN in the log, a warning says
    so, and the training stops there. A `monitor` that is NaN, such as the TAR at a FAR below one
    pair, keeps no model, and a warning says that.

    The best model is written to another file first, which then takes the name of the old one. So
    a crash or a full disk leaves the old file as it was; a full disk is reported by a warning,
    training goes on, and the next better model is saved.

    Args:
        data: What to measure: `(images, truth)`, an object with `.images` and `.same` such as
            `kr.datasets.verification_pairs(path)`, a dataset of identities such as
            `kr.datasets.image_folder(path)`, or a dict of several of these by name. Images
            are an array, a `PyDataset` or any other source of `keras.Model.predict` that is not
            shuffled and can be read many times. The truth of pairs is `same` (n,) bool for 2 n
            images, the two of a pair one after the other; that of labelled images is (n,)
            integers. Images alone are given to a protocol that knows the truth.
        protocol: A function `(embeddings, truth)`, such as `kr.metrics.lfw_accuracy`, or
            `(scores, same)`, such as `kr.metrics.eer`: then the cosines of the pairs are formed,
            of labelled images those of all pairs. For images alone a function `(embeddings)`. It
            returns a number, or a tuple, dict or dataclass of numbers. Several protocols are a
            dict by name. `functools.partial` fixes other arguments. Default: `lfw_accuracy` of
            pairs, `eer` of labelled images.
        monitor: Name of the number that tells which model is the best. Default: the first number
            of the first set.
        mode: "max", "min", or "auto": the functions of `kr.metrics` know which is better. Of
            functions of your own and of other numbers in the log the words of the name tell: "min"
            for eer, loss, error, distance, std and the rates far, frr, fmr, fnmr, fpr, fnr, fpir
            and fnir, otherwise "max". The name of a set does not count.
        filepath: Where to keep the best model: a path that ends in `.keras`, or in `.weights.h5`
            with `save_weights_only`. It may hold fields such as `{epoch:02d}` and the names of
            numbers, as in `keras.callbacks.ModelCheckpoint`.
        save_weights_only: Whether to save the weights alone.
        initial_value_threshold: A value that the first model has to surpass to be kept, for a
            training that is resumed.
        every: Number of epochs, or batches, from one evaluation to the next.
        unit: "epoch" or "batch". The log of an epoch has the last numbers measured in it.
        flip: Whether to add to each embedding that of the mirror image.
        encoder: The model from images to embeddings. Default: the encoder of a `Recognizer`, or
            the model that is trained.
        batch_size: Images per step, for arrays.
        verbose: 0 for silence, 1 for a progress bar of each set, 2 for a line of numbers, "auto"
            for what `fit` was given.

    Attributes:
        numbers: Dict of the last evaluation.
        best: The best value of `monitor` so far, or `None`.

    Raises:
        ValueError: For arguments out of these, for a protocol of `kr.metrics` that the truth does
            not fit, and, at the first evaluation, for a `monitor` that is not among the numbers.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> encoder = keras.Sequential(
    ...     [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(16)]
    ... )
    >>> recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(num_classes=5))
    >>> recognizer.compile(optimizer="adam")
    >>> images, labels = np.random.rand(40, 8, 8, 1), np.arange(40) % 5
    >>> same = np.arange(20) % 2 == 0  # of images 0 and 1, 2 and 3, ...
    >>> callback = kr.callbacks.VerificationCallback((images, same), filepath="best.keras")
    >>> history = recognizer.fit(images, labels, verbose=0, callbacks=[callback])
    >>> sorted(history.history)
    ['loss', 'verification_accuracy', 'verification_accuracy_std']
    """

    def __init__(
        self,
        data,
        protocol=None,
        monitor=None,
        mode="auto",
        filepath=None,
        save_weights_only=False,
        initial_value_threshold=None,
        every=1,
        unit="epoch",
        flip=False,
        encoder=None,
        batch_size=32,
        verbose="auto",
    ):
        super().__init__()
        self.sets = verification_sets(data)
        self._protocols = {
            one.name: default_protocol(one) if protocol is None else protocol for one in self.sets
        }
        for one in self.sets:
            check_protocols(self._protocols[one.name], one)
        check_choice(mode, "mode", ("auto", "max", "min"))
        check_choice(unit, "unit", ("epoch", "batch"))
        check_choice(verbose, "verbose", ("auto", 0, 1, 2))
        suffix = SUFFIXES[bool(save_weights_only)]
        if filepath is not None and not str(filepath).endswith(suffix):
            raise ValueError(f"`filepath` must end in {suffix}. Received: {filepath=}")
        if encoder is not None and not isinstance(encoder, keras.Model):
            raise ValueError(f"`encoder` must be a keras.Model. Received: {encoder=}")
        self.protocol, self.monitor, self.mode = protocol, monitor, mode
        self.filepath, self.save_weights_only = filepath, bool(save_weights_only)
        self.initial_value_threshold = initial_value_threshold
        self.every, self.unit, self.flip = as_integer(every, "every"), unit, bool(flip)
        self.encoder, self.verbose = encoder, verbose
        self.batch_size = as_integer(batch_size, "batch_size")
        self.numbers = {}
        self._keeper = None
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
        """Embed all sets and run the protocol now.

        Returns:
            Dict of the numbers, as they join the log.
        """
        # On JAX, asking for the model brings the current values back to its variables.
        embedder, verbose = self._embedder(self.model), self._verbosity()
        numbers, self._failed = {}, False
        for one in self.sets:
            if verbose == 1:
                print(f"\nVerification of {one.name!r}")
            embeddings = one.embeddings(embedder, self.batch_size, int(verbose == 1))
            numbers |= self._numbers_of(one, embeddings)
        self.numbers = numbers
        return numbers

    def _numbers_of(self, one, embeddings):
        bad = ~np.isfinite(embeddings.reshape(len(embeddings), -1)).all(axis=1)
        if bad.any():
            embeddings = embeddings.copy()
            embeddings[bad] = 0  # for the names of the numbers
        found = protocol_numbers(self._protocols[one.name], embeddings, one.truth)
        if bad.any():
            self._failed |= bool(bad.all())
            found = dict.fromkeys(found, float("nan"))
            warnings.warn(
                f"The numbers of {one.name!r} are NaN: {bad.sum()} of its {len(bad)} embeddings "
                f"are not finite, the first in row {int(bad.argmax())}. Look at that image; if the "
                "loss is NaN too, lower the learning rate.",
                stacklevel=2,
            )
        return {f"{one.name}_{name}": value for name, value in found.items()}

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
                self._mode_of(monitor),
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

    def _mode_of(self, monitor):
        """`mode`, told by the protocol where it is "auto" and the number is one of a set."""
        of_sets = [one.name for one in self.sets if monitor.startswith(f"{one.name}_")]
        if self.mode != "auto" or monitor not in self.numbers or not of_sets:
            return self.mode
        name = max(of_sets, key=len)
        return mode_of_number(self._protocols[name], monitor[len(name) + 1 :])

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
