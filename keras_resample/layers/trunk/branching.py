"""A branch and what follows it, made of the layers of a trunk."""

import itertools

import keras
from keras import ops

from keras_resample.layers.trunk.graph import is_functional, replay, steps_of


class Branching:
    """Takes a trunk apart at the maps where branches enter.

    Args:
        trunk: Functional `keras.Model` of one input and one output.
        data_format: of the trunk's images.

    Raises:
        ValueError: for another model, or one whose layers have batch normalizations inside.
    """

    def __init__(self, trunk, data_format):
        check_trunk(trunk)
        self.trunk, self.data_format = trunk, data_format
        self.start, self.steps, self.end = steps_of(trunk)
        self.size = self.size_of(self.start)
        if None in self.size:
            raise ValueError(
                "`trunk` must have images of known height and width: make it with an input_shape. "
                f"Received: images of shape {tuple(self.start.shape)}"
            )

    def size_of(self, tensor):
        """Height and width of symbolic images or maps, `None` of other tensors."""
        shape = tuple(tensor.shape)
        if len(shape) != 4:
            return None
        return shape[2:] if self.data_format == "channels_first" else shape[1:3]

    def entry(self, resolution, name=None):
        """The step whose maps the branch of a resolution gives.

        Without a name, of the steps with maps of this size that all later ones depend on: from the
        first convolution to this size on the first sum, or else maps that several layers read, as
        a unit without a sum ends; in a plain chain of layers, which has neither, the first step.

        Args:
            resolution: (height, width).
            name: of a layer.
        """
        cuts = [s for s in self.steps if s.is_cut and self.size_of(s.outputs[0]) == resolution]
        if name is not None:
            named = [step for step in cuts if step.layer.name == name]
            if not named:
                raise ValueError(
                    f"`entries` must name layers whose maps of {resolution} all that follows "
                    f"depends on. Received: {name!r}; the trunk has {_names(cuts)}"
                )
            return named[-1]
        if not cuts:
            raise ValueError(
                f"`resolutions` must be sizes of the trunk's maps, which are {self._sizes()}. "
                f"Received: {resolution}"
            )
        sized = (step for step in self.steps if self.size_of(step.outputs[0]) == resolution)
        unit = itertools.dropwhile(lambda step: not _convolves(step.layer), sized)
        ends = (step for step in unit if step.is_cut and (step.is_sum or step.readers > 1))
        return next(ends, cuts[0])

    def _sizes(self):
        sizes = [self.size_of(step.outputs[0]) for step in self.steps if step.is_cut]
        return list(dict.fromkeys(size for size in sizes if size not in (None, (1, 1))))

    def upper(self, step):
        """The model from the trunk's images to the maps of a step, of the trunk's own layers."""
        return keras.Model(self.start, step.outputs[0], name=f"{self.trunk.name}_to_entry")

    def branch(self, step, resolution, name):
        """The trunk up to a step on images of its size: copies of the layers, without strides.

        The copies have the weights of the trunk. Its augmentations are left out.
        """
        channels = self.start.shape[1 if self.data_format == "channels_first" else 3]
        first = self.data_format == "channels_first"
        shape = (channels, *resolution) if first else (*resolution, channels)
        inputs = keras.Input(shape, dtype=self.start.dtype, name="images")
        augmentations = self._augmentations()
        copies = {}

        def copy(layer):
            if layer in augmentations:
                return augmentations[layer]
            if isinstance(layer, keras.Layer) and layer not in copies:
                copies[layer] = without_strides(layer)
            return copies.get(layer, layer)

        outputs = replay(self.upper(step), inputs, copy)
        if self.size_of(outputs) != resolution:
            raise ValueError(
                "`trunk` must keep the size of images where its layers have no strides, up to the "
                f"entry {step.layer.name!r}. Received: a trunk that makes {self.size_of(outputs)} "
                f"of {resolution}"
            )
        for layer, copied in copies.items():
            copied.set_weights(layer.get_weights())
        return keras.Model(inputs, outputs, name=name)

    def _augmentations(self):
        """What stands in place of each layer that changes the trunk's images at random.

        A dict from layer to function. They draw random numbers, keep the shape of images, and come
        before the first layer that learns.
        """
        front = itertools.takewhile(lambda step: not _learns(step.layer), self.steps)
        return {
            step.layer: _cast_to(step.outputs[0].dtype)
            for step in front
            if _is_random(step.layer) and step.inputs[0].shape == step.outputs[0].shape
        }

    def rest(self, step, name):
        """The trunk from a step on: its own layers, but for batch normalizations, copied."""
        copies = {}

        def shared(layer):
            if not isinstance(layer, keras.layers.BatchNormalization):
                return layer
            if layer not in copies:
                copies[layer] = type(layer).from_config(layer.get_config())
            return copies[layer]

        maps = keras.Input(batch_shape=step.outputs[0].shape, dtype=step.outputs[0].dtype)
        below = keras.Model(step.outputs[0], self.end)
        outputs = replay(below, maps, shared)
        for layer, copied in copies.items():
            copied.set_weights(layer.get_weights())
        return keras.Model(maps, outputs, name=name)


def without_strides(layer):
    """A layer of the same configuration with strides of 1, made to keep the size.

    Windows of a pooling that did not overlap, and paddings of two widths, as convolutions with
    strides have them, become those of the same layer without strides.
    """
    config = layer.get_config()
    strides = config.get("strides")
    if strides is not None:
        if config.get("pool_size") == strides and config.get("padding") == "valid":
            config["padding"] = "same"
        config["strides"] = 1 if isinstance(strides, int) else (1,) * len(strides)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        config["padding"] = tuple((max(widths),) * 2 for widths in config["padding"])
    return type(layer).from_config(config)


def check_trunk(trunk):
    """Raises unless a model can be taken apart into the branches of its resolutions."""
    if not isinstance(trunk, keras.Model) or not is_functional(trunk):
        raise ValueError(
            "`trunk` must be a Functional keras.Model, whose layers can be called one by one. "
            f"Received: trunk={trunk!r}"
        )
    if len(trunk.inputs) != 1 or len(trunk.outputs) != 1 or len(trunk.inputs[0].shape) != 4:
        raise ValueError(
            "`trunk` must have one input, images, and one output. "
            f"Received: {len(trunk.inputs)} inputs of shapes "
            f"{[tuple(x.shape) for x in trunk.inputs]} and {len(trunk.outputs)} outputs"
        )
    for layer in {step.layer for step in steps_of(trunk)[1]}:
        inside = [weight.name for weight in getattr(layer, "weights", ())]
        if "moving_mean" in inside and not isinstance(layer, keras.layers.BatchNormalization):
            raise ValueError(
                "`trunk` must have its batch normalizations as layers of its own, for each "
                f"resolution has others. Received: one inside of {layer.name!r}"
            )


def _convolves(layer):
    return any(len(weight.shape) == 4 for weight in getattr(layer, "weights", ()))


def _learns(layer):
    return bool(getattr(layer, "weights", ())) and not isinstance(layer, keras.layers.Normalization)


def _is_random(layer):
    """Whether a layer holds the state of random numbers, which is no weight."""
    return len(getattr(layer, "variables", ())) > len(getattr(layer, "weights", ()))


def _cast_to(dtype):
    def cast(images, *args, **kwargs):
        return images if images.dtype == dtype else ops.cast(images, dtype)

    return cast


def _names(steps):
    return [step.layer.name for step in steps] or "none"
