"""What the segmentation datasets share: an order a epoch that can be taken up again."""

import keras
import numpy as np

from keras_resample.datasets.arguments import non_negative, random_generator


class ShuffledDataset(keras.utils.PyDataset):
    """Items in an order that is a function of `(seed, epoch)` alone.

    Args:
        num_items: how many items an epoch orders.
        shuffle: whether each epoch has its own random order.
        seed: non-negative integer, the seed of that order.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.
    """

    def __init__(self, num_items, shuffle, seed, **kwargs):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.shuffle = bool(shuffle)
        self.seed = non_negative(seed, "seed")
        self.epoch = 0

    @property
    def epoch(self):
        """Number of the epoch whose order is served; set it to go on where a run stopped."""
        return self._epoch

    @epoch.setter
    def epoch(self, value):
        self._epoch = non_negative(value, "epoch")
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
        order = self._order
        if order is None:
            order = np.arange(self.num_items)
            if self.shuffle:
                order = random_generator(self.seed, self.epoch).permutation(order)
            self._order = order
        return order
