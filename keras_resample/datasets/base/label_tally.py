"""Which classes the masks hold, to say so where one never comes while much is ignored."""

import numpy as np

# A mask with one class, or none, is common; as many images of it are not. In fewer images most
# classes may be missing.
FIRST_IMAGES = 8
# Less than that is the border of objects; more may be a class that is taken for none.
MUCH_IGNORED = 0.01


class LabelTally:
    """Counts the labels that are read, until it is clear that every class comes.

    Masks of 0 and 255 have two classes for who drew them, and one for a training with
    `ignore_class=255`. Nothing else would tell: the other class has no pixel and no loss.

    Args:
        num_classes, ignore_class: as in `SegmentationDataset`.
        image_sizes: `(n, 2)`, height and width of the images.
    """

    def __init__(self, num_classes, ignore_class, image_sizes):
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.is_small = len(image_sizes) < FIRST_IMAGES
        self.all_pixels = int(np.prod(image_sizes, axis=1, dtype="int64").sum())
        self.first_pixels = self.all_pixels * min(1.0, FIRST_IMAGES / len(image_sizes))
        self.counts = np.zeros(256, "int64")
        self.over = ignore_class is None

    def add(self, counts):
        """Adds numbers of pixels `(256,)`, one a label.

        Returns:
            What is to be said, once; `None` where there is nothing, or not yet.
        """
        if self.over:
            return None
        self.counts += counts
        classes = [n for n in range(self.num_classes) if n != self.ignore_class]
        missing = [n for n in classes if not self.counts[n]]
        pixels = int(self.counts.sum())
        complete = pixels >= self.all_pixels
        self.over = not missing or complete
        ignored = self.counts[self.ignore_class] / pixels
        one_class = len(classes) - len(missing) < 2
        enough = pixels >= self.first_pixels if one_class else complete and not self.is_small
        if not missing or ignored < MUCH_IGNORED or not enough:
            return None
        self.over = True
        example = f"; readers do so by `classes`, such as {{0: 0, {self.ignore_class}: 1}}"
        return (
            f"No pixel of {pixels} has the class {_shortened(missing)}, and {ignored:.1%} have the "
            f"label {self.ignore_class}, which counts nowhere. If that label stands for a class in "
            f"your masks, give it that class's number{example if one_class else ''}. Received: "
            f"num_classes={self.num_classes}, ignore_class={self.ignore_class}"
        )


def label_counts(label):
    """Number of pixels of each label, `(256,)`, of uint8 labels."""
    return np.bincount(label.ravel(), minlength=256)


def _shortened(numbers):
    names = [str(number) for number in numbers]
    if len(names) > 5:
        names = [*names[:3], "...", names[-1]]
    return ", ".join(names)
