"""Images in the order of the data, for whatever returns a row for each of them."""

# What torch's DataLoader holds where it draws the order; by name, as nothing of torch is needed.
RANDOM_SAMPLERS = ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")


def in_data_order(images):
    """A data source that gives its images in their own order.

    Args:
        images: What `keras.Model.predict` takes. Of a dataset of this package its `ordered()`.

    Returns:
        The source. Of others that shuffle on their own, such as a `tf.data.Dataset`, nobody can
        know: they come as they come.

    Raises:
        ValueError: For a source that says that it shuffles and has no `ordered()`.
    """
    if hasattr(images, "ordered"):
        return images.ordered()
    sampler = type(getattr(images, "sampler", None)).__name__
    if getattr(images, "shuffle", False) is True or sampler in RANDOM_SAMPLERS:
        raise ValueError(
            "`images` must come in a fixed order, because a row is returned for each: build the "
            f"{type(images).__name__} with shuffle=False. Received: images={images!r}, which "
            "shuffles"
        )
    return images
