"""Where the images that a model takes have their channels."""

from keras_resample.arguments import DATA_FORMATS, as_data_format
from keras_resample.models.steps.layers_inside import layers_inside

# What an image may have.
CHANNELS = (1, 3, 4)


def format_of_images(shape, model):
    """The data format of the images (4D) that a model takes.

    Where only one of the axes can be that of the channels, it is: 1, 3 or 4 of them. Otherwise the
    layers tell, the first that has a format, and where none has one, the global setting.
    """
    last, first = (shape[axis] in CHANNELS for axis in (3, 1))
    if last != first:
        return DATA_FORMATS[int(first)]
    formats = (getattr(layer, "data_format", None) for layer in layers_inside(model))
    return as_data_format(next((found for found in formats if found in DATA_FORMATS), None))
