"""What distinguishes the residual networks of the published face repositories."""

import dataclasses

import keras
from keras import layers

from keras_resample.arguments import check_choice
from keras_resample.layers.blocks.frozen_scale_batch_normalization import (
    FrozenScaleBatchNormalization,
)
from keras_resample.models.networks.torch_layers import kaiming


def normal():
    return keras.initializers.RandomNormal(stddev=0.1)


@dataclasses.dataclass(frozen=True)
class Family:
    """One repository's form of the same network.

    Args:
        dropout: Rate before the projection.
        drop_channels: Whether that dropout takes whole channels of the feature map.
        epsilon, momentum: Of every batch normalization, as Keras defines them.
        inner_normalization: Whether a block normalizes between its first convolution and PReLU.
        project_shortcuts: Whether a shortcut that changes only the size is a convolution too; it
            keeps every second pixel otherwise.
        initializer: Makes the initializer of a convolution's kernel.
        linear_initializer: The same for the projection; `None` for torch's default.
        output_normalization: Makes the batch normalization of the embedding.
    """

    dropout: float = 0.4
    drop_channels: bool = False
    epsilon: float = 1e-5
    momentum: float = 0.9
    inner_normalization: bool = True
    project_shortcuts: bool = False
    initializer: callable = kaiming
    linear_initializer: callable = kaiming
    output_normalization: callable = layers.BatchNormalization


def without_affine(**kwargs):
    return layers.BatchNormalization(scale=False, center=False, **kwargs)


IR = Family(output_normalization=without_affine)
FAMILIES = {
    "insightface": Family(
        dropout=0.0,
        project_shortcuts=True,
        initializer=normal,
        linear_initializer=None,
        output_normalization=FrozenScaleBatchNormalization,
    ),
    "magface": Family(
        drop_channels=True,
        epsilon=2e-5,
        momentum=0.1,
        project_shortcuts=True,
        linear_initializer=None,
    ),
    "adaface": IR,
    "cvlface": IR,
    "curricularface": dataclasses.replace(IR, inner_normalization=False),
}


def as_family(family):
    """The `Family` of this name."""
    check_choice(family, "family", tuple(FAMILIES))
    return FAMILIES[family]
