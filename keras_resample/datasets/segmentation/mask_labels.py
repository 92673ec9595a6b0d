"""From what a mask file holds to classes."""

import numpy as np

NO_CLASS = -1
LARGEST_ID = 65535


class IdLabels:
    """Classes of integer ids.

    Args:
        classes: dict from ids in 0..65535 to classes.
    """

    colored = False

    def __init__(self, classes):
        self.table = np.full(LARGEST_ID + 1, NO_CLASS, "int16")
        for number, label in classes.items():
            self.table[number] = label

    def __call__(self, mask):
        """uint8 classes `(h, w)` of ids `(h, w)`."""
        if mask.dtype.kind == "i" or mask.dtype.itemsize > 2:
            outside = (mask < 0) | (mask > LARGEST_ID)
            if outside.any():
                raise ValueError(f"the mask holds the id {mask[outside][0]}, which has no class")
        labels = self.table[mask]
        if labels.size and labels.min() < 0:
            raise ValueError(f"the mask holds the id {mask[labels < 0][0]}, which has no class")
        return labels.astype("uint8")


class ColorLabels:
    """Classes of colours.

    Args:
        classes: dict from (red, green, blue) to classes.
        threshold: `None` for exact colours, or the value from which a channel counts as 255
            and below which it counts as 0.
    """

    colored = True

    def __init__(self, classes, threshold=None):
        self.threshold = threshold
        colors = np.array(list(classes), "int64")
        codes = (colors << (16, 8, 0)).sum(-1)
        order = np.argsort(codes)
        self.codes = codes[order].astype("uint32")
        self.labels = np.array(list(classes.values()), "uint8")[order]

    def __call__(self, mask):
        """uint8 classes `(h, w)` of uint8 colours `(h, w, 3)`."""
        if self.threshold is not None:
            mask = np.where(mask >= self.threshold, np.uint8(255), np.uint8(0))
        codes = mask[..., 0].astype("uint32") << 16
        codes |= mask[..., 1].astype("uint32") << 8
        codes |= mask[..., 2]
        place = np.searchsorted(self.codes, codes)
        np.minimum(place, len(self.codes) - 1, out=place)
        wrong = self.codes[place] != codes
        if wrong.any():
            color = tuple(int(value) for value in mask[wrong][0])
            raise ValueError(f"the mask holds the colour {color}, which has no class")
        return self.labels[place]
