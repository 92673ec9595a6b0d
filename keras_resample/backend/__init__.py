"""The kernels of the backend that Keras runs on.

The only place of the package, next to `export`, that imports a framework.
"""

import keras

from keras_resample.backend.reference import (
    fused,
    fusion,
    grouped_convolution,
    nearest,
    smallest,
)

if keras.backend.backend() == "tensorflow":
    from keras_resample.backend.tensorflow import (
        bilinear,
        fused,
        fusion,
        grouped_convolution,
        smallest,
    )
elif keras.backend.backend() == "jax":
    from keras_resample.backend.jax import bilinear
elif keras.backend.backend() == "torch":
    from keras_resample.backend.torch import bilinear, smallest
else:
    from keras_resample.backend.reference import bilinear
