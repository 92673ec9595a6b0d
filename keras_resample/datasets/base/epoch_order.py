"""An order for each epoch that a stopped training can take up again."""

import keras
import numpy as np

from keras_resample.datasets.arguments import non_negative, random_generator


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
        if self._order is None:
            random = random_generator(self.seed, self.epoch if self.shuffle else 0)
            self._order = self._draw_order(random)
        return self._order

    def _draw_order(self, random):
        order = np.arange(self.num_images)
        return random.permutation(order) if self.shuffle else order
