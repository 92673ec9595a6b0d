"""The functions a SavedModel serves."""

import functools

import keras
from keras import ops

from keras_resample.export.contract import (
    ANY_SIZE,
    BYTES,
    DEFAULT,
    JPEG,
    OF_FILES,
    PIXELS,
    VERIFY,
)
from keras_resample.export.served_network import ServedNetwork
from keras_resample.export.warm_up import write_warm_up
from keras_resample.version import __version__


def write_saved_model(model, folder, contract, warm_up=False):
    """Writes a SavedModel of `model` to `folder`; on the TensorFlow and JAX backends.

    Args:
        model: a built Keras model.
        folder: path of the folder, at which nothing is yet.
        contract: a `Contract`.
        warm_up: whether to write requests for a server to warm up with.

    Raises:
        OSError: where the folder cannot be written.
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    for name, function in _functions(model, contract).items():
        archive.add_endpoint(name, function)
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        raise OSError(str(error)) from error
    contract.versions = {
        "tensorflow": tf.__version__,
        "keras": keras.version(),
        "keras_resample": __version__,
    }
    contract.write(folder)
    if warm_up:
        write_warm_up(folder, contract)


def _functions(model, contract):
    """The traced function of each endpoint; what several of them run is in the file once."""
    import tensorflow as tf

    from keras_resample.export.decoding import embed_files, embed_pixels, verify_files
    from keras_resample.export.request_batching import batched
    from keras_resample.export.resolutions import embed_any_size, embed_files_of_any_size

    served = ServedNetwork(model, contract)
    call_of = _jax_calls(served) if keras.backend.backend() == "jax" else _calls(served)

    def traced(function, specs):
        named = {name: tf.TensorSpec(*spec, name=name) for name, spec in specs.items()}
        function = tf.function(function, input_signature=[named], autograph=False)
        function.get_concrete_function()
        return function

    def specs_of(shape):
        specs = contract.inputs_of(DEFAULT)
        return {**specs, contract.image_name: (shape, contract.input_dtype)}

    @functools.cache
    def embed_of(shape):
        call = call_of(specs_of(shape))

        def embed(inputs):
            # A REST client can read no bfloat16, and the cast loses nothing.
            return {name: _whole(tf, output) for name, output in call(inputs).items()}

        return traced(embed, specs_of(shape))

    @functools.cache
    def embed_each(together=False):
        """The functions of images of each size that the model takes, its own the first."""
        shapes = [contract.shape_of(size) for size in contract.resolutions or [contract.image_size]]
        if not together:
            return [embed_of(shape) for shape in shapes]
        return [traced(batched(embed_of(shape)), specs_of(shape)) for shape in shapes]

    @functools.cache
    def function_of(name):
        specs = contract.inputs_of(name)
        if name in OF_FILES:
            make = embed_files_of_any_size if contract.resolutions else embed_files
            return traced(make(embed_each(contract.batch_requests), contract), specs)
        if name == VERIFY:
            return traced(verify_files(function_of(BYTES), contract), specs)
        if name in (ANY_SIZE, PIXELS):
            make = embed_any_size if contract.resolutions else embed_pixels
            return traced(make(embed_each(), contract, name == PIXELS), specs)
        return embed_of(specs[contract.image_name][0])

    same = {JPEG: BYTES}
    return {name: function_of(same.get(name, name)) for name in contract.endpoints}


def _whole(tf, output):
    return tf.cast(output, tf.float32) if output.dtype in (tf.float16, tf.bfloat16) else output


def _calls(served):
    """Function from the inputs' shapes and dtypes to the model as a function, on TensorFlow."""
    return lambda specs: served


def _jax_calls(served):
    """The same on JAX, with the weights as variables of TensorFlow, once for all shapes."""
    import tensorflow as tf
    from jax.experimental import jax2tf

    variables = [
        [tf.Variable(ops.convert_to_numpy(v), dtype=v.dtype, name=v.name) for v in group]
        for group in (served.trainable_variables, served.non_trainable_variables)
    ]

    def stateless(trainable, non_trainable, inputs):
        output, _ = served.stateless_call(trainable, non_trainable, inputs)
        return output

    def call_of(specs):
        shapes = {name: _sides(name, shape) for name, (shape, _) in specs.items()}
        converted = jax2tf.convert(
            stateless,
            polymorphic_shapes=[None, None, shapes],
            with_gradient=False,
            # The server need not have the accelerator of the machine that trained.
            native_serialization_platforms=("cpu", "cuda"),
        )
        return lambda inputs: converted(*variables, inputs)

    return call_of


def _sides(name, shape):
    """A shape as JAX wants it: every unknown side has a name, and the batch that of all inputs."""
    batch, *sides = shape
    named = [f"{name}_{axis}" if n is None else str(n) for axis, n in enumerate(sides)]
    return f"({', '.join(['batch' if batch is None else str(batch), *named])})"
