"""Verification protocols while a model trains."""

from keras_resample.callbacks.embedding_callback import EmbeddingCallback
from keras_resample.callbacks.protocol_checks import check_protocols, default_protocol
from keras_resample.callbacks.protocol_numbers import mode_of_number, protocol_numbers
from keras_resample.callbacks.verification_set import verification_sets


class VerificationCallback(EmbeddingCallback):
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
            are an array, a dict of arrays by the names of the encoder's inputs, a `PyDataset` or
            any other source of `keras.Model.predict` that is not shuffled and can be read many
            times. The truth of pairs is `same` (n,) bool for 2 n images, the two of a pair one
            after the other; that of labelled images is (n,) integers. Images alone are given to a
            protocol that knows the truth.
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

    title = "Verification"

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
        super().__init__(
            monitor=monitor,
            mode=mode,
            filepath=filepath,
            save_weights_only=save_weights_only,
            initial_value_threshold=initial_value_threshold,
            every=every,
            unit=unit,
            flip=flip,
            encoder=encoder,
            batch_size=batch_size,
            verbose=verbose,
        )
        self.protocol = protocol
        self.sets = verification_sets(data)
        self._protocols = {
            one.name: default_protocol(one) if protocol is None else protocol for one in self.sets
        }
        for one in self.sets:
            check_protocols(self._protocols[one.name], one)

    def measured(self):
        numbers = {}
        for one in self.sets:
            numbers |= self._numbers_of(one, self.embed(one))
        return numbers

    def _numbers_of(self, one, embeddings):
        bad = self.bad_rows(one, embeddings)
        if bad.any():
            embeddings = embeddings.copy()
            embeddings[bad] = 0  # for the names of the numbers
        found = protocol_numbers(self._protocols[one.name], embeddings, one.truth)
        if bad.any():
            found = dict.fromkeys(found, float("nan"))
        return {f"{one.name}_{name}": value for name, value in found.items()}

    def mode_of(self, monitor):
        """`mode`, told by the protocol where it is "auto" and the number is one of a set."""
        of_sets = [one.name for one in self.sets if monitor.startswith(f"{one.name}_")]
        if self.mode != "auto" or monitor not in self.numbers or not of_sets:
            return self.mode
        name = max(of_sets, key=len)
        return mode_of_number(self._protocols[name], monitor[len(name) + 1 :])
