"""What a SavedModel is, for those who find it."""

import pathlib

CARD_FILE = "MODEL_CARD.md"


def write_card(folder, contract, report=None):
    """Writes the card into the SavedModel at `folder`.

    Args:
        folder: path of the folder.
        contract: its `Contract`.
        report: what `keras_resample.export.check` found, if it did.
    """
    parts = [
        _model(contract),
        _endpoints(contract, report),
        _images(contract),
        _outputs(contract),
        _server(contract, report),
    ]
    text = "\n".join("\n".join(part) for part in parts if part)
    (pathlib.Path(folder) / CARD_FILE).write_text(text, encoding="utf-8")


def _model(contract):
    model, versions = contract.model, contract.versions
    writers = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [
        f"# {model['name']}",
        "",
        f"A SavedModel of a `{model['class']}` with {model['weights']:,} weights, of which "
        f"{contract.input_dtype} images make {', '.join(contract.output_names)}. It runs without "
        "Keras and without the package that wrote it.",
        "",
        f"Written by {writers}.",
        "",
    ]


def _endpoints(contract, report):
    checked = (report or {}).get("endpoints", {})
    lines = ["## Endpoints", "", "| endpoint | takes | returns | checked |", "|---|---|---|---|"]
    for name in contract.endpoints:
        takes = _tensors(contract.inputs_of(name))
        returns = _tensors(contract.outputs_of(name))
        lines.append(f"| `{name}` | {takes} | {returns} | {_checked(checked.get(name))} |")
    if report:
        lines += [
            "",
            "Checked: the largest difference from the model, in units of its largest output, and "
            "how long a call took on the machine that wrote this, by its number of images.",
        ]
    return [*lines, ""]


def _tensors(specs):
    return ", ".join(
        f"`{name}` {dtype} ({', '.join(_sides(shape))})" for name, (shape, dtype) in specs.items()
    )


def _sides(shape):
    first, *others = shape
    return ["batch" if first is None else str(first)] + [
        "any" if side is None else str(side) for side in others
    ]


def _checked(found):
    if found is None:
        return "no"
    times = ", ".join(f"{count}: {time:.3g} ms" for count, time in found["milliseconds"].items())
    return f"{found['largest_difference']:.1e}; {times}"


def _images(contract):
    low, high = contract.offset, 255 * contract.scale + contract.offset
    channels = {1: "grey", 3: "RGB", 4: "RGBA"}.get(contract.channels, f"{contract.channels}")
    lines = [
        "## Images",
        "",
        f"* Values: black is {low:.6g} and white {high:.6g}, by `{contract.scale:.9g} * byte + "
        f"{contract.offset:.9g}`. Endpoints of bytes and of files do so themselves.",
        f"* Channels: {channels}, {contract.data_format.replace('_', ' ')} in float tensors, last "
        "in those of bytes.",
    ]
    if contract.resolutions:
        sizes = ", ".join(f"{height} x {width}" for height, width in contract.resolutions)
        lines.append(
            f"* Sizes (height x width): {sizes}. An image is resized to the one that serves it, by "
            f"{contract.indicator} and {contract.rounding}."
        )
    elif contract.image_size is not None:
        height, width = contract.image_size
        lines.append(
            f"* Size (height x width): {height} x {width}. Endpoints of bytes and of files resize "
            "to it, bilinearly and antialiased; the aspect ratio is not kept."
        )
    lines.append(
        f"* Files: JPEG, PNG, GIF (first frame), BMP and WebP of at most {contract.max_pixels:,} "
        "pixels, turned as their EXIF orientation says."
    )
    if "keypoints" in contract.inputs:
        lines.append(
            "* Keypoints: relative (x, y), (0, 0) the upper left corner and (1, 1) the lower right."
        )
    return [*lines, ""]


def _outputs(contract):
    name, lines = contract.output_name, []
    if contract.flip:
        lines.append(f"* `{name}` is the sum of those of the image and of its mirror image.")
    if contract.normalize:
        lines.append(f"* `{name}` has length 1: the dot product of two is their cosine.")
    if contract.threshold is not None:
        lines.append(
            f"* Two images show one identity from a cosine of {contract.threshold:.6g} on."
        )
    return ["## Outputs", "", *lines, ""] if lines else []


def _server(contract, report):
    version = contract.versions["tensorflow"]
    minor = ".".join(version.split(".")[:2])
    lines = [
        "## Server",
        "",
        f"TensorFlow Serving is promised to read what its own TensorFlow or an older one wrote: "
        f"{minor} or newer. With this folder as `served/{contract.model['name']}/1`:",
        "",
        "```bash",
        'docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/served:/models" \\',
        f"    -e MODEL_NAME={contract.model['name']} tensorflow/serving:{version}",
        "```",
    ]
    if report and report["needs_xla"]:
        lines += ["", "The server needs the XLA compiler."]
    return [*lines, ""]
