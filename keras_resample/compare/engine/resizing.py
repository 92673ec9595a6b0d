"""Images of a comparison at another size, as many as there are."""

import keras
import numpy as np

# Images that are resized at a time.
CHUNK = 256


def resized(images, size, **options):
    """Images (n, h, w, c) at another (height, width), by the resize of Keras, as numpy."""
    resize = keras.ops.image.resize
    parts = [images[first : first + CHUNK] for first in range(0, len(images), CHUNK)]
    parts = [keras.ops.convert_to_numpy(resize(part, size, **options)) for part in parts]
    return np.concatenate(parts)
