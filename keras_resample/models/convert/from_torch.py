"""Loading the authors' PyTorch weights."""

import keras

from keras_resample.arguments import as_bool, check_choice
from keras_resample.models.convert.branches import (
    check_trained_on,
    copy_to_branches,
    find_msgn,
    without_other_classifier,
)
from keras_resample.models.convert.build import build
from keras_resample.models.convert.layouts import (
    HEADS,
    LAYOUTS,
    PREFIXES,
    RESNET,
    TRANSFORMER,
    families_of,
    recognise,
)
from keras_resample.models.convert.state_dict import read
from keras_resample.models.convert.transformers import (
    check_form,
    find_transformer,
    transformer_slots,
    without_mask_token,
)
from keras_resample.models.convert.variables import find_backbone, slots
from keras_resample.models.networks.families import FAMILIES

SHOWN = 8
# The convolutions that read an image.
FIRST = ("conv1", "patch_embed")


def from_torch(path_or_state_dict, family, model=None, flip_channels=False):
    """Loads published PyTorch weights of a face network, or of a ResNet, into a Keras model.

    Works on every Keras backend; PyTorch is needed for `.pt`, `.pth` and `.ckpt` files only, and
    reads them without running code from them. Wrapper prefixes of the training scripts are
    removed, their classification heads and batch counters left out; apart from these every
    tensor must have its place and every variable its tensor.

    A face network takes what it was trained on, aligned faces of 112 x 112 pixels p in 0..255:

    | family | networks | channels | values |
    |---|---|---|---|
    | insightface | iresnet18 to iresnet200, MobileFaceNet | RGB | (p / 255 - 0.5) / 0.5 |
    | magface | iresnet18 to iresnet100 | BGR | p / 255 |
    | adaface | IR_18 to IR_101 of net.py | BGR | (p / 255 - 0.5) / 0.5 |
    | curricularface | IR_50, IR_101 | RGB | (p / 255 - 0.5) / 0.5 |
    | cvlface | IR_18 to IR_101, iresnet, ViT, KP-RPE | RGB (*) | (p / 255 - 0.5) / 0.5 |

    (*) Unless `color_space` in the model.yaml beside the file says BGR.

    The embedding is the one before any normalisation to length 1: the length of MagFace's and
    AdaFace's is their measure of quality. AdaFace's own code returns its direction and length.

    CVLface's `ViT` of sizes other than "small" and "base" need a `model`: weights do not say how
    many heads there are. So do networks with keypoints, unless the number of their tables says it.
    These are of the forms below; CVLface's "keypoint" has tables of one token, which change
    nothing, and a `model` of mode "absolute" takes them where they are zero. A `mask_token` is left
    out where the network masks nothing.

    | CVLface's form | `mode`, `share_heads`, `share_depth` of `KeypointViT` |
    |---|---|
    | rel_keypoint_splithead_unshared | "multihead", the default |
    | rel_keypoint_splithead | "multihead", `share_depth=True` |
    | rel_keypoint_unshared | "relative", `share_depth=False` |
    | rel_keypoint | "relative" |

    The family "torchvision" is its ResNet-18 to 152, ResNeXt and Wide ResNet, and files of the same
    names, such as timm's ResNeXt-101 32x4d. They become an `MSGN` without branches, which takes RGB
    images of values 0 to 255. In one with branches, every local branch begins as a copy of the last
    two stages, and a classifier of another shape than the file's stays as it is.

    Args:
        path_or_state_dict: Path of a `.safetensors`, `.pt`, `.pth`, `.ckpt` or `.bin` file, or a
            mapping of names to arrays or torch tensors, also under its key `state_dict`.
        family: Whose file it is: `"insightface"`, `"magface"`, `"adaface"`, `"cvlface"`,
            `"curricularface"` or `"torchvision"`. Files of insightface and MagFace differ in
            nothing but their wrapper: without one, only this argument tells them apart.
        model: A `keras.Model` that is or contains one network of `keras_resample.models` made
            with the same `family`, behind any sampler; everything else in it is left as it is. For
            `"torchvision"` it is an `MSGN` of the file's depths and widths, with the stride and the
            preprocessing of the defaults, or `include_preprocessing=False` for normalized images.
            Default: the network is built from the names and shapes of the weights, in the global
            image data format.
        flip_channels: Whether to reverse the input channels of the first convolution, so that a
            network trained on BGR images takes RGB ones. Nothing else changes.

    Returns:
        `model`, or the network that was built.

    Raises:
        ValueError: For a file of another family, for missing, unexpected or misshapen tensors
            (listed), for a file that is damaged or holds more than tensors, and for a `model`
            without such a network, made for another family, or with keypoints in another form. The
            model is then unchanged.
        FileNotFoundError, ImportError: For a path that is no file, and where the package that
            reads it is not installed.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> weights = {"prelu.weight": np.zeros(64, "float32")}
    >>> kr.models.convert.from_torch(weights, family="adaface")
    Traceback (most recent call last):
        ...
    ValueError: `family` does not fit ... Received: family='adaface', 1 keys: 'prelu.weight'

    Reference:
        - [insightface](https://github.com/deepinsight/insightface)
        - [AdaFace](https://github.com/mk-minchul/AdaFace)
        - [CVLface](https://github.com/mk-minchul/CVLface)
        - [MagFace](https://github.com/IrvingMeng/MagFace)
        - [CurricularFace](https://github.com/HuangYG123/CurricularFace)
        - [torchvision](https://github.com/pytorch/vision)
    """
    check_choice(family, "family", tuple(PREFIXES))
    flip_channels = as_bool(flip_channels, "flip_channels")
    if model is not None and not isinstance(model, keras.Model):
        raise ValueError(f"`model` must be a keras.Model or None. Received: {model=}")
    tensors = read(path_or_state_dict)
    layout, prefix = recognise(tensors)
    if layout is None or family not in families_of(layout, prefix):
        raise ValueError(
            f"`family` does not fit the file, which {_looks_like(layout, prefix)}. "
            f"Received: {family=}, {_listed(tensors)}"
        )
    tensors = _bare(tensors, prefix, family)
    is_built = model is None
    if is_built:
        model = build(layout, family, tensors)
    backbone, places = _places(model, layout)
    if layout is RESNET:
        check_trained_on(backbone, True, "3x3")
        if not is_built:
            places, tensors = without_other_classifier(places, tensors)
    elif layout is TRANSFORMER:
        tensors = without_mask_token(places, tensors)
        check_form(backbone, tensors)
    else:
        _check_epsilon(places, family)
    _check_tensors(places, tensors, layout, prefix)
    for key, place in places.items():
        array = tensors[key]
        if flip_channels and place.layer.name in FIRST and array.ndim == 4:
            array = array[:, ::-1]
        place.variable.assign(place.to_keras(array))
    if layout is RESNET:
        copy_to_branches(backbone)
    return model


def _places(model, layout):
    """The network inside of the model, and the place of every tensor."""
    if layout is TRANSFORMER:
        network = find_transformer(model)
        return network, transformer_slots(network)
    network = find_msgn(model) if layout is RESNET else find_backbone(model, layout)
    return network, slots(network, layout)


def _bare(tensors, prefix, family):
    """Without the wrapper's prefix, once and only at the start, and without its heads."""
    bare = {}
    for key, value in tensors.items():
        if key.startswith(prefix) and prefix:
            bare[key[len(prefix) :]] = value
        elif family not in HEADS or not HEADS[family].fullmatch(key):
            bare[key] = value
    return bare


def _check_epsilon(places, family):
    expected = FAMILIES[family].epsilon
    for place in places.values():
        found = getattr(place.layer, "epsilon", expected)
        if found != expected:
            raise ValueError(
                f"`model` must be built with family={family!r}, whose batch normalizations have "
                f"an epsilon of {expected}. Received: epsilon={found} in {place.layer.name!r}"
            )


def _check_tensors(places, tensors, layout, prefix):
    missing = [key for key in places if key not in tensors]
    unexpected = [key for key in tensors if key not in places]
    misshapen = [
        f"{key} {tensors[key].shape} {tensors[key].dtype} instead of {place.torch_shape}"
        for key, place in places.items()
        if key in tensors
        and (tensors[key].shape != place.torch_shape or tensors[key].dtype.kind != "f")
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    found = [f"{_listed(keys, kind)}" for kind, keys in kinds.items() if keys]
    if found:
        raise ValueError(
            "`path_or_state_dict` must hold exactly the tensors of the model; the file "
            f"{_looks_like(layout, prefix)}. Received: {'; '.join(found)}"
        )


def _looks_like(layout, prefix):
    if layout is None:
        known = ", ".join(dict.fromkeys(one.title for one in LAYOUTS))
        return f"looks like none of those known ({known})"
    names = " or ".join(families_of(layout, prefix))
    return f"looks like a network of the kind {layout.title} of {names}"


def _listed(keys, kind="keys"):
    shown = ", ".join(repr(key) for key in list(keys)[:SHOWN])
    return f"{len(keys)} {kind}: {shown}{', ...' if len(keys) > SHOWN else ''}"
