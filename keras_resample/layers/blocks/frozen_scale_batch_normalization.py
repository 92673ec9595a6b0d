"""Batch normalization as it ends an IResNet."""

import keras


@keras.saving.register_keras_serializable(package="keras_resample")
class FrozenScaleBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization whose scale is kept at what it was initialised or loaded with.

    Unlike `scale=False` it has a gamma, so that published weights with another value fit.
    """

    def add_weight(self, *args, name=None, trainable=True, **kwargs):
        return super().add_weight(
            *args, name=name, trainable=trainable and name != "gamma", **kwargs
        )
