"""The few images that are held decoded while their windows are read."""

import collections
import threading


class DecodedImages:
    """Decodes an image once while it is among the last `capacity` ones. Thread-safe, picklable.

    Args:
        read: callable `(index, None)` to `(image, label)`, both whole.
        capacity: how many images are held.
    """

    def __init__(self, read, capacity):
        self.read = read
        self.capacity = capacity
        self._start()

    def _start(self):
        self._lock = threading.Lock()
        self._held = collections.OrderedDict()

    def __getstate__(self):
        return {"read": self.read, "capacity": self.capacity}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._start()

    def clear(self):
        """Lets go of all images."""
        with self._lock:
            self._held.clear()

    def __call__(self, index):
        with self._lock:
            if index not in self._held:
                self._held[index] = _Once()
            self._held.move_to_end(index)
            while len(self._held) > self.capacity:
                self._held.popitem(last=False)
            image = self._held[index]
        return image(lambda: self.read(index, None))


class _Once:
    """What the first of several threads makes, the others wait for."""

    def __init__(self):
        self._lock = threading.Lock()
        self._made = None

    def __call__(self, make):
        with self._lock:
            if self._made is None:
                self._made = make()
            return self._made
