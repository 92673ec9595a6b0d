"""Retrieval while a model trains."""

from keras_resample.arguments import as_integers
from keras_resample.callbacks.embedding_callback import EmbeddingCallback
from keras_resample.callbacks.retrieval_set import ranking_labels, retrieval_set
from keras_resample.metrics.identification.identification import cmc
from keras_resample.metrics.identification.retrieval import (
    mean_average_precision,
    mean_inverse_penalty,
)
from keras_resample.metrics.verification.score_blocks import ScoreBlocks


class RetrievalCallback(EmbeddingCallback):
    """Measures how embeddings rank a gallery during `fit` and keeps the best model.

    At the end of an epoch (or every few batches) queries and gallery are embedded batch by batch,
    the gallery is ranked for each query by the cosine, and mean average precision, rank-1 rate and
    mean inverse penalty join the log of the epoch as `retrieval_map`, `retrieval_rank_1` and
    `retrieval_minp`: those of `kr.metrics.mean_average_precision`, `cmc` and
    `mean_inverse_penalty`. Scores are formed in blocks, so that a large gallery fits in memory.

    As in `VerificationCallback`: name this callback before those that are to see its numbers;
    embeddings that are NaN give NaN in the log and a warning, and where all of a set are, the
    training stops; the file of the best model is written as a whole or stays as it was.

    Args:
        query: The images to look for: `(images, labels)`, `(images, labels, cameras)`, or a dataset
            of identities such as `kr.datasets.image_folder(path)`. Images are an array, a
            `PyDataset` or any other source of `keras.Model.predict` that is not shuffled and can
            be read many times. Labels and cameras are arrays (n,). Of a dataset its identities
            count, not their numbers, and its `cameras` where it has them.
        gallery: Where to look for them, in the same forms. With cameras on both sides, entries with
            the identity and the camera of the query are left out. Default: each query is looked
            for among the others.
        ranks: Ranks of the identification rates, logged as `retrieval_rank_1` and so on.
        name: What the names of the numbers begin with.
        monitor: Name of the number that tells which model is the best. Default: the mean average
            precision.
        mode: "max", "min", or "auto": these numbers are better the higher; of other numbers in the
            log the name tells, as in `VerificationCallback`.
        filepath, save_weights_only, initial_value_threshold: As in `VerificationCallback`.
        every, unit, flip, encoder, batch_size, verbose: As in `VerificationCallback`.

    Attributes:
        numbers: Dict of the last evaluation.
        best: The best value of `monitor` so far, or `None`.

    Raises:
        ValueError: For arguments out of these, where no query has a match in the gallery, and, at
            the first evaluation, for a `monitor` that is not among the numbers.

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
    >>> query, gallery = (images[:10], labels[:10]), (images[10:], labels[10:])
    >>> callback = kr.callbacks.RetrievalCallback(query, gallery, filepath="best.keras")
    >>> history = recognizer.fit(images, labels, verbose=0, callbacks=[callback])
    >>> sorted(history.history)
    ['loss', 'retrieval_map', 'retrieval_minp', 'retrieval_rank_1']
    """

    title = "Retrieval"

    def __init__(
        self,
        query,
        gallery=None,
        ranks=(1,),
        name="retrieval",
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
        self.query = retrieval_set("query", query)
        self.gallery = None if gallery is None else retrieval_set("gallery", gallery)
        self._labels = ranking_labels(self.query, self.gallery)
        self.ranks, self.name = as_integers(ranks, "ranks"), str(name)

    def measured(self):
        names = ["map", *(f"rank_{rank}" for rank in self.ranks), "minp"]
        sets = [self.query] if self.gallery is None else [self.query, self.gallery]
        embeddings = [self.embed(one) for one in sets]
        bad = [self.bad_rows(*pair).any() for pair in zip(sets, embeddings, strict=True)]
        values = [float("nan")] * len(names)
        if not any(bad):
            scores = ScoreBlocks(embeddings[0], embeddings[-1])
            values = [
                mean_average_precision(scores, *self._labels),
                *cmc(scores, *self._labels[:2], self.ranks, *self._labels[2:]).tolist(),
                mean_inverse_penalty(scores, *self._labels),
            ]
        return {f"{self.name}_{name}": value for name, value in zip(names, values, strict=True)}

    def mode_of(self, monitor):
        """`mode`; "max" where it is "auto" and the number is one of these."""
        return "max" if self.mode == "auto" and monitor in self.numbers else self.mode
