"""Stanford Cars."""

import os

from keras_resample.arguments import as_bool
from keras_resample.datasets.files.image_decoding import pixel_box
from keras_resample.datasets.files.matlab_file import matlab_file, matlab_names
from keras_resample.datasets.files.text_lines import inner_path
from keras_resample.datasets.recognition.class_protocol import check_protocol, protocol_part
from keras_resample.datasets.recognition.identity_files import identity_files

# Annotations of the two folders of images, in the layout of the development kit.
PARTS = {"cars_train": "cars_train_annos.mat", "cars_test": "cars_test_annos_withlabels.mat"}


def stanford_cars(path, protocol="classification", split="train", crop_to_box=False, **kwargs):
    """Stanford Cars, 16,185 photographs of 196 models of cars.

    Reads two layouts, and tells them apart:

    * one file of all annotations: `cars_annos.mat`, with the images in `car_ims/`;
    * the development kit: `cars_train_annos.mat`, `cars_test_annos_withlabels.mat` and
      `cars_meta.mat`, in `path` or in `devkit/`, with the images in `cars_train/` and `cars_test/`.

    Copies with a folder a class, `train/` and `test/`, are read by `image_folder(path + "/train")`.

    Needs Pillow and SciPy: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds those files.
        protocol: `"classification"`: every class, with the official split (8,144 and 8,041
            images). `"retrieval"`: every image of the first half of the classes trains (classes
            1 to 98, 8,054 images), the others are the test (99 to 196, 8,131 images), where each
            image is searched among all others.
        split: `"train"` or `"test"`.
        crop_to_box: whether to read the box of the car instead of the whole image.
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `True` for the training split alone by default.

    Returns:
        An `IdentityDataset`. `class_names` are those of the protocol's part, such as
        `"AM General Hummer SUV 2000"`, also where a class has no image.

    Raises:
        ImportError: if Pillow or SciPy is not installed.
        FileNotFoundError: if a file of annotations is missing.
        ValueError: for damaged annotations, a bad image file (`on_error="raise"`), sizes that
            differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> from scipy.io import savemat
    >>> import keras_resample as kr
    >>> os.makedirs("cars/car_ims")
    >>> Image.new("RGB", (20, 16)).save("cars/car_ims/000001.jpg")
    >>> car = {"relative_im_path": "car_ims/000001.jpg", "bbox_x1": 3, "bbox_y1": 2, "bbox_x2": 18,
    ...        "bbox_y2": 15, "class": 1, "test": 0}
    >>> names = np.array(["AM General Hummer SUV 2000"], object)
    >>> savemat("cars/cars_annos.mat", {"annotations": [car], "class_names": names})
    >>> train = kr.datasets.stanford_cars("cars", crop_to_box=True)
    >>> train.class_names, train.image_shape
    (['AM General Hummer SUV 2000'], (14, 16, 3))

    Reference:
        Krause et al., 3D Object Representations for Fine-Grained Categorization, 3dRR 2013.
    """
    check_protocol(protocol, split)
    crop_to_box = as_bool(crop_to_box, "crop_to_box")
    joined = os.path.join(path, "cars_annos.mat")
    if os.path.isfile(joined):
        cars, names = _joined(joined)
    else:
        cars, names = _development_kit(path)
    files, labels, in_train, ends = zip(*cars, strict=True)
    chosen, class_names = protocol_part(labels, in_train, names, protocol, split)
    return identity_files(
        [files[index] for index in chosen],
        [labels[index] for index in chosen],
        path,
        "stanford_cars",
        class_names=class_names,
        boxes=[_box(ends[index], files[index]) for index in chosen] if crop_to_box else None,
        **{"shuffle": split == "train", **kwargs},
    )


def _joined(path):
    """`(cars, class_names)` of all annotations in one file."""
    variables = matlab_file(path, "stanford_cars")
    names = matlab_names(variables, "class_names", path).ravel().tolist()
    cars = _cars(variables, names, path, "relative_im_path", lambda car: not car["test"])
    return _inside(os.path.dirname(path), cars, path), names


def _development_kit(path):
    """`(cars, class_names)` of the two parts of the development kit."""
    folder = os.path.join(path, "devkit")
    folder = folder if os.path.isdir(folder) else path
    meta = os.path.join(folder, "cars_meta.mat")
    names = matlab_names(matlab_file(meta, "stanford_cars"), "class_names", meta).ravel().tolist()
    cars = []
    for images, name in PARTS.items():
        listed = os.path.join(folder, name)
        if not os.path.isfile(listed):
            listed = os.path.join(path, name)  # the one with labels came later, by itself
        variables = matlab_file(listed, "stanford_cars")
        part = _cars(variables, names, listed, "fname", lambda car, i=images: i == "cars_train")
        cars += _inside(os.path.join(path, images), part, listed)
    return cars, names


def _inside(folder, cars, listed):
    return [(inner_path(folder, file, listed), *rest) for file, *rest in cars]


def _cars(variables, class_names, path, file, in_train):
    """`(file, class name, in the training split, ends of the box)` of each annotation."""
    annotations = variables.get("annotations")
    annotations = [annotations] if isinstance(annotations, dict) else annotations
    try:
        cars = []
        for car in annotations:
            if not 1 <= int(car["class"]) <= len(class_names):
                raise ValueError(f"there is no class {car['class']}")
            ends = tuple(int(car[f"bbox_{end}"]) for end in ("x1", "y1", "x2", "y2"))
            name = class_names[int(car["class"]) - 1]
            cars.append((str(car[file]), name, in_train(car), ends))
        if not cars:
            raise ValueError("there is no car")
        return cars
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"`annotations` must have `{file}`, `class` and the four ends `bbox_x1` and so on of "
            f"each car ({type(error).__name__}: {error}). Received: file {path!r}"
        ) from None


def _box(ends, image):
    x0, y0, x1, y1 = ends
    try:
        return pixel_box(x0 - 1, y0 - 1, x1, y1)  # pixels count from 1
    except ValueError:
        raise ValueError(
            "`annotations` must have 1 <= bbox_x1 <= bbox_x2 and 1 <= bbox_y1 <= bbox_y2. "
            f"Received: {ends} of image {image!r}"
        ) from None
