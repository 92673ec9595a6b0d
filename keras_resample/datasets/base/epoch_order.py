"""The order of each epoch, which a stopped training can take up again: plain, or balanced."""

import copy

import keras
import numpy as np

from keras_resample.arguments import as_bool, as_integer


def random_generator(seed, *key):
    """A numpy generator that depends on all of `(seed, *key)`, and on nothing else."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


class ShuffledDataset(keras.utils.PyDataset):
    """Images in an order that is a function of `(seed, epoch)` alone.

    A subclass has their number, `num_images`.

    Args:
        shuffle: whether each epoch has its own random order.
        seed: non-negative integer, the seed of that order.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.
    """

    def __init__(self, shuffle, seed, **kwargs):
        super().__init__(**kwargs)
        self.shuffle = as_bool(shuffle, "shuffle")
        self.seed = as_integer(seed, "seed", 0)
        self.epoch = 0

    @property
    def epoch(self):
        """Number of the epoch whose order is served; set it to go on where a run stopped."""
        return self._epoch

    @epoch.setter
    def epoch(self, value):
        self._epoch = as_integer(value, "epoch", 0)
        self._order = None

    def on_epoch_end(self):
        """Moves to the order of the next epoch."""
        self.epoch += 1

    def epoch_callback(self):
        """A callback that keeps `epoch` equal to the epoch of `fit`.

        Returns:
            A `keras.callbacks.Callback`.
        """
        return keras.callbacks.LambdaCallback(on_epoch_begin=self._start_epoch)

    def _start_epoch(self, epoch, logs=None):
        self.epoch = epoch

    def order(self):
        """The order of the current epoch.

        Returns:
            `(n,)` indices: a permutation drawn from `(seed, epoch)`, or `0 .. n-1` without
            `shuffle`.
        """
        if self._order is None:
            random = random_generator(self.seed, self.epoch if self.shuffle else 0)
            self._order = self._draw_order(random)
        return self._order

    def ordered(self):
        """The same images in their own order, whatever `shuffle` says, and without augmentation.

        What gives a row for each image wants them so: `model.predict(dataset.ordered())` has
        the rows of `arrays()`.

        Returns:
            A dataset of the same class, at epoch 0.
        """
        view = copy.copy(self)
        view.shuffle = False
        view.epoch = 0
        return view

    def _draw_order(self, random):
        order = np.arange(self.num_images)
        return random.permutation(order) if self.shuffle else order


class BalancedOrder:
    """P identities with K images each in every batch, as triplet losses need them.

    The images of an identity are permuted and cut into groups of K. An identity with fewer
    than K images makes one group, in which each image comes `K // n` or `K // n + 1` times;
    of any other one the images that do not fill a group rest in this epoch (chosen anew in
    each). A batch has groups of P different identities, and there are as many batches as the
    groups allow: with g_i groups of identity i, the largest B with
    `sum_i min(g_i, B) >= P B`. Fewer than P groups rest where no identity has more than B.

    Args:
        labels: integers `(n,)`, the identity of each image.
        classes_per_batch: P.
        images_per_class: K.

    Raises:
        ValueError: if there are images of fewer than P identities.
    """

    def __init__(self, labels, classes_per_batch, images_per_class):
        self.classes_per_batch = classes_per_batch
        self.images_per_class = images_per_class
        # Images sorted by identity: those of identity i are by_identity[start[i] : start[i + 1]].
        self.by_identity = np.argsort(labels, kind="stable")
        counts = np.unique(labels, return_counts=True)[1]
        if len(counts) < classes_per_batch:
            raise ValueError(
                f"`classes_per_batch` must be at most the number of identities, {len(counts)}. "
                f"Received: classes_per_batch={classes_per_batch}"
            )
        self.counts = counts
        self.starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.groups = np.maximum(counts // images_per_class, 1)
        self.num_batches = self._most_batches()

    def __call__(self, random):
        """Image indices `(num_batches * P * K,)`, a function of the generator `random`."""
        p, b = self.classes_per_batch, self.num_batches
        # Groups one identity after the other, dealt to the batches in turn: at most b groups of
        # an identity in succession never meet in a batch.
        identities = random.permutation(len(self.counts))
        per_identity = np.minimum(self.groups[identities], b)
        dealt = np.repeat(identities, per_identity)[: p * b]
        # Which group of its identity: the number of equal ones before it.
        first = np.repeat(np.cumsum(per_identity) - per_identity, per_identity)[: p * b]
        group = np.arange(p * b) - first
        order = self._mixed_within_rounds(dealt.reshape(p, b), random)
        dealt, group = dealt[order], group[order]
        order = random.permuted(np.arange(p * b).reshape(p, b).T, axis=1).ravel()
        return self._images(dealt[order], group[order], random)

    def _most_batches(self):
        low, high = 1, int(self.groups.sum()) // self.classes_per_batch
        while low < high:
            middle = (low + high + 1) // 2
            if np.minimum(self.groups, middle).sum() >= self.classes_per_batch * middle:
                low = middle
            else:
                high = middle - 1
        return low

    def _mixed_within_rounds(self, rounds, random):
        """A permutation (p * b,) that keeps the identities of each column different.

        An identity within one round (row) has no other round to collide with, so its groups
        may stand anywhere in that row; those cut by the end of a row stay where they are.
        """
        p, b = rounds.shape
        order = np.arange(p * b).reshape(p, b)
        for row in range(p):
            fixed = np.zeros(b, bool)
            if row > 0:
                fixed |= rounds[row] == rounds[row - 1, -1]
            if row < p - 1:
                fixed |= rounds[row] == rounds[row + 1, 0]
            free = np.flatnonzero(~fixed)
            order[row, free] = order[row, random.permutation(free)]
        return order.ravel()

    def _images(self, identities, groups, random):
        # A random fraction for each image, sorted within its identity: one permutation for each.
        # Stable, so that a fraction rounded up to the next identity changes nothing.
        sorted_by = np.repeat(np.arange(len(self.counts)), self.counts)
        sorted_by = sorted_by + random.random(len(self.by_identity))
        shuffled = self.by_identity[np.argsort(sorted_by, kind="stable")]
        place = groups[:, None] * self.images_per_class + np.arange(self.images_per_class)
        place = place % self.counts[identities][:, None]
        return shuffled[self.starts[identities][:, None] + place].ravel()
