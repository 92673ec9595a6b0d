"""The functions a SavedModel serves."""

import functools

import keras
from keras import ops

from keras_resample.export.contract import DEFAULT, OF_FILES, branch_endpoint


def write_saved_model(model, folder, contract):
    """Writes a SavedModel of `model` to `folder`; on the TensorFlow and JAX backends.

    Args:
        model: a built Keras model with one input and one output.
        folder: path of the folder, at which nothing is yet.
        contract: a `Contract`.

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
    contract.write(folder)


def _functions(model, contract):
    """The traced function of each endpoint; what several of them run is in the file once."""
    import tensorflow as tf

    from keras_resample.export.decoding import embed_files
    from keras_resample.export.request_batching import batched
    from keras_resample.export.resolutions import embed_any_size, embed_files_of_any_size

    call_of = _jax_calls(model) if keras.backend.backend() == "jax" else _calls(model)

    def traced(function, shape, dtype=contract.input_dtype):
        signature = [tf.TensorSpec(shape, dtype, name="images")]
        function = tf.function(function, input_signature=signature, autograph=False)
        function.get_concrete_function()
        return function

    @functools.cache
    def embed_of(shape):
        call = call_of(shape)

        def embed(images):
            output = call(images)
            # A REST client can read no bfloat16, and the cast loses nothing.
            half = output.dtype in (tf.float16, tf.bfloat16)
            return {contract.output_name: tf.cast(output, tf.float32) if half else output}

        return traced(embed, shape)

    shapes = {branch_endpoint(size): contract.shape_of(size) for size in contract.resolutions[1:]}
    shapes[DEFAULT] = tuple(contract.input_shape)

    sizes = contract.resolutions or [contract.image_size]

    @functools.cache
    def of_files():
        shapes = [contract.shape_of(size) for size in sizes]
        embed_each = [embed_of(shape) for shape in shapes]
        if contract.batch_requests:
            pairs = zip(embed_each, shapes, strict=True)
            embed_each = [traced(batched(embed), shape) for embed, shape in pairs]
        embed = embed_files_of_any_size if contract.resolutions else embed_files
        return traced(embed(embed_each, contract), (None,), "string")

    def function_of(name):
        if name in shapes:
            return embed_of(shapes[name])
        if name in OF_FILES:
            return of_files()
        embed_each = [embed_of(contract.shape_of(size)) for size in sizes]
        return traced(embed_any_size(embed_each, contract), contract.shape_of((None, None)))

    return {name: function_of(name) for name in contract.endpoints}


def _calls(model):
    """Function from a shape of images to the model as a function of them, on TensorFlow."""
    return lambda shape: functools.partial(model, training=False)


def _jax_calls(model):
    """The same on JAX, with the weights as variables of TensorFlow, once for all shapes."""
    import tensorflow as tf
    from jax.experimental import jax2tf

    variables = [
        [tf.Variable(ops.convert_to_numpy(v), dtype=v.dtype, name=v.name) for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]

    def stateless(trainable, non_trainable, images):
        output, _ = model.stateless_call(trainable, non_trainable, images, training=False)
        return output

    def call_of(shape):
        names = ("batch", "first", "second", "third")
        words = [name if n is None else str(n) for name, n in zip(names, shape, strict=True)]
        converted = jax2tf.convert(
            stateless,
            polymorphic_shapes=[None, None, f"({', '.join(words)})"],
            with_gradient=False,
            # The server need not have the accelerator of the machine that trained.
            native_serialization_platforms=("cpu", "cuda"),
        )
        return lambda images: converted(*variables, images)

    return call_of
