"""Checks of the directions of the classes against embeddings, files and constraints."""

import warnings

import keras
import numpy as np


def check_dimension(embeddings, kernel):
    """Raises where the embeddings are not of the dimension that a head was built for."""
    dim, built_for = embeddings.shape[-1], kernel.shape[-1]
    if dim is not None and dim != built_for:
        raise ValueError(
            f"`embeddings` must have {built_for} components: the head was built for them, and what "
            "it learned is of no use for others. Make a new head for another encoder. "
            f"Received: embeddings.shape={tuple(embeddings.shape)}"
        )


def kernel_mismatch(store, head):
    """What is wrong with the kernel in a file for a built head, or `None`."""
    if not head.built or "0" not in set(store.keys()):  # Keras has a message for these
        return None
    found, expected = tuple(store["0"].shape), tuple(head.kernel.shape)
    if found == expected:
        return None
    return (
        f"`num_classes` must be that of the file, whose kernel has the shape {found}, "
        f"(num_classes * subcenters, dim): {found[0] // head.subcenters} classes. To train other "
        "classes, load all but the head: load_weights(path, skip_mismatch=True). "
        f"Received: num_classes={head.num_classes}, a kernel of shape {expected}"
    )


def row_constraint(constraint):
    """A constraint of the kernel; one given by its name runs along the rows.

    Warns of another axis of a constraint of Keras, whose default is that of a Dense layer.
    """
    found = keras.constraints.get(constraint)
    axis = getattr(found, "axis", None)
    if axis is None or all(one in (1, -1) for one in np.ravel(axis)):
        return found
    if isinstance(constraint, str):
        return type(found)(axis=1)
    name = type(found).__name__
    warnings.warn(
        "`kernel_constraint` should run along the rows of the kernel, the directions of the "
        f"classes: keras.constraints.{name}(axis=1). "
        f"Received: kernel_constraint={name} with axis={axis}",
        stacklevel=3,
    )
    return found
