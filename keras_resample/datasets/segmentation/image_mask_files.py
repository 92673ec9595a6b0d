"""Pairs of an image file and a mask file: what every segmentation folder is made of."""

from keras_resample.datasets.base.label_tally import label_counts
from keras_resample.datasets.base.segmentation_dataset import SegmentationDataset
from keras_resample.datasets.files.image_decoding import name_errors
from keras_resample.datasets.files.raster_files import (
    mapped_raster,
    needs_pillow,
    raster_size,
    read_image,
    read_mask,
)
from keras_resample.datasets.files.screening import as_verify, screen, warn_of_skipped


class ImageMaskFiles:
    """Reads a window of an image and of its mask.

    Args:
        images, masks: paths, one mask an image.
        labels: callable from what a mask holds to classes.
    """

    def __init__(self, images, masks, labels):
        self.images = images
        self.masks = masks
        self.labels = labels

    def __call__(self, index, window):
        image, mask = self.images[index], self.masks[index]
        pixels = name_errors(image, read_image, image, window)
        label = name_errors(mask, read_mask, mask, window, self.labels.colored)
        return pixels, name_errors(mask, self.labels, label)

    def reads_windows(self, index):
        """Whether both files are read by window, without decoding the rest."""
        files = self.images[index], self.masks[index]
        return all(name_errors(file, mapped_raster, file) is not None for file in files)

    def size(self, index):
        """`(height, width)` of both files, from their headers."""
        image, mask = self.images[index], self.masks[index]
        size = name_errors(image, raster_size, image)
        other = name_errors(mask, raster_size, mask)
        if size != other:
            raise ValueError(
                "An image and its mask must have the same size, each turned as its EXIF "
                "orientation says. Received: "
                f"{image!r} of {size[0]} x {size[1]}, {mask!r} of {other[0]} x {other[1]}"
            )
        return size


def image_mask_dataset(
    images, masks, labels, reader, on_error="raise", verify=None, progress=False, **kwargs
):
    """A `SegmentationDataset` of files.

    Args:
        images, masks, labels: as in `ImageMaskFiles`.
        reader: name of the public function, for errors.
        on_error, verify, progress: as in `segmentation_folder`.
        **kwargs: as in `SegmentationDataset`.
    """
    verify = as_verify(verify, on_error, progress)
    needs_pillow(images + masks, reader)
    files = ImageMaskFiles(images, masks, labels)

    def look(index):
        size = files.size(index)
        counts = label_counts(files(index, (0, 0, *size))[1]) if verify else 0
        return size, counts

    def place(index):
        return images[index], f"with its mask {masks[index]!r}"

    good, seen, skipped = screen(look, place, range(len(images)), on_error, progress)
    if not len(good):
        raise ValueError(
            f"`{reader}` needs one readable image with its mask. Received: {len(images)} images, "
            f"the first one skipped: {skipped[0]}"
        )
    warn_of_skipped(skipped, "images with their masks")
    chosen = ImageMaskFiles([images[i] for i in good], [masks[i] for i in good], labels)
    sizes, counts = zip(*seen, strict=True)
    dataset = SegmentationDataset(chosen, sizes, **kwargs)
    dataset.skipped = skipped
    if verify:
        dataset._count_labels(sum(counts), stacklevel=4)
    return dataset
