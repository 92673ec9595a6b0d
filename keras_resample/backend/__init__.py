"""The kernels of the backend that Keras runs on.

The only place of the package, next to `export` and `models.convert`, that imports a framework.
`reference.py`, and `attention.py` for attention, say what a kernel computes, in `keras.ops`;
`tensorflow.py`, `jax.py` and `torch.py` compute the same faster. All use these words:

    position    (x, y) of a sample in pixels, the centre of the first pixel at 0
    tap         one of the four pixels around a position: top left, top right, bottom left and
                right; named by its flat index, row * width + column
    fraction    fx, fy: how far a position is on its way from the top left tap to the others
    share       how much of a tap is in a sample: a sample is the sum of share * tap
    weight      of a sample in the sum of k samples that is one output
    table       pixels as rows of numbers, which are read by their index
    upstream    the gradient to what a kernel gave; from it come those `to_images` and `to_grid`
    fusion      what a compiler may make one piece of: `fusion()` is a context for operations of a
                graph
    fused       of attention: products and softmax in one kernel of the framework, as in
                `fuses_attention` and `has_fused_attention`; nothing to do with `fusion`
    program     what is compiled by itself where all else runs eagerly: `one_program` is a function
                on JAX, `compiled_once` one with loops, on TensorFlow too
"""

import keras

from keras_resample.backend.attention import (
    attention_logits,
    fuses_attention,
    has_fused_attention,
    read_tables,
)
from keras_resample.backend.reference import (
    accumulator,
    bilinear_of,
    check_pixels,
    constant,
    fusion,
    gather,
    gelu,
    grouped_convolution,
    mapped,
    nearest,
    of_size,
    significance,
    smallest,
    untraced,
)

if keras.backend.backend() == "tensorflow":
    from keras_resample.backend.tensorflow import (
        bilinear,
        check_pixels,
        fuses_attention,
        fusion,
        gather,
        gelu,
        grouped_convolution,
        mapped,
        of_size,
        read_tables,
        significance,
        smallest,
    )
elif keras.backend.backend() == "jax":
    from keras_resample.backend.jax import (
        bilinear,
        fuses_attention,
        gather,
        has_fused_attention,
        nearest,
        read_tables,
    )
elif keras.backend.backend() == "torch":
    from keras_resample.backend.torch import (
        bilinear,
        constant,
        gather,
        significance,
        smallest,
        untraced,
    )
    from keras_resample.backend.torch_attention import (
        attention_logits,
        fuses_attention,
        read_tables,
    )
else:
    from keras_resample.backend.reference import bilinear
