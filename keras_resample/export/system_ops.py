"""Operations that a system which runs graphs is known to refuse."""

SERVING, XLA, LITERT = "TensorFlow Serving", "XLA", "LiteRT"

# Python code, which is in no file, and pipelines of data.
OF_PYTHON = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}
PIPELINES = "Dataset", "Iterator"
# What TensorFlow has kernels of the CPU for, and no others: decoders, texts, antialiased resizing.
OF_CPU = {
    "BatchFunction",
    "DecodeBmp",
    "DecodeGif",
    "DecodeImage",
    "DecodeJpeg",
    "DecodePng",
    "DecodeRaw",
    "DecodeWebP",
    "ExtractJpegShape",
    "ScaleAndTranslate",
    "StringLength",
    "Substr",
}
# Beside these, what LiteRT has no kernels for.
NOT_LITE = {"DynamicStitch", "XlaCallModule"}


def refused_by(operations):
    """Those of a list of operations that each system refuses: a dict of lists by their names.

    TensorFlow Serving is the official image, XLA a function that is compiled as a whole, and
    LiteRT a conversion to its own operations alone. Others may be refused for their arguments.
    """
    pipelines = {name for name in operations if any(word in name for word in PIPELINES)}
    served = OF_PYTHON | pipelines
    refused = {
        SERVING: served,
        XLA: served | OF_CPU,
        LITERT: served | OF_CPU | NOT_LITE,
    }
    return {
        system: [name for name in operations if name in names] for system, names in refused.items()
    }
