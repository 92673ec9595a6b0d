"""How a model steps in tests in which the graph is not what is tested."""

import keras

# For `compile`. Tracing and compiling a step on TensorFlow takes longer than a few steps do; on
# JAX a step that is not compiled compiles each of its operations.
STEP_BY_STEP = {"run_eagerly": keras.backend.backend() == "tensorflow"}


def step_by_step(model):
    """The model, which also predicts so without having been compiled."""
    model.run_eagerly = STEP_BY_STEP["run_eagerly"]
    return model
