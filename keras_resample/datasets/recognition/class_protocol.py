"""The two protocols of fine-grained sets: classes with an official split, and halves of them."""

from keras_resample.arguments import check_choice

PROTOCOLS = ("classification", "retrieval")
SPLITS = ("train", "test")


def check_protocol(protocol, split):
    """Raises unless both are known."""
    check_choice(protocol, "protocol", PROTOCOLS)
    check_choice(split, "split", SPLITS)


def protocol_part(labels, in_train, class_names, protocol, split):
    """The images and the classes of one part of a protocol.

    Args:
        labels: the class name of each image.
        in_train: whether each image is in the official training split.
        class_names: all classes in their order.
        protocol: `"classification"` or `"retrieval"`.
        split: `"train"` or `"test"`.

    Returns:
        `(indices, class_names)`.
    """
    if protocol == "retrieval":
        half = len(class_names) // 2
        class_names = class_names[:half] if split == "train" else class_names[half:]
        kept = set(class_names)
        return [index for index, label in enumerate(labels) if label in kept], class_names
    train = split == "train"
    return [index for index, inside in enumerate(in_train) if inside == train], class_names
