"""A convolution in groups that every server of TensorFlow models can run."""

import keras

from keras_resample import backend


@keras.saving.register_keras_serializable(package="keras_resample")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for few channels in each of many groups.

    On TensorFlow `Conv2D` leaves groups to the XLA compiler, also in a SavedModel, which a server
    without the compiler then refuses. Weights, arguments and numbers are the same.

    Example:

    >>> import numpy as np
    >>> from keras_resample.layers.blocks.grouped_convolution import GroupedConv2D
    >>> layer = GroupedConv2D(6, 3, groups=3, data_format="channels_last")
    >>> layer(np.zeros((1, 5, 5, 12), "float32")).shape == (1, 3, 3, 6)
    True
    """

    def convolution_op(self, inputs, kernel):
        return backend.grouped_convolution(
            inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )
