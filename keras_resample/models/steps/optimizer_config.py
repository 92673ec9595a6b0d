"""The optimizers in the configuration of `compile`, so that any backend goes on with them."""


def of_any_backend(config):
    """A configuration, or part of one, whose optimizers are Keras's public ones.

    On PyTorch Keras saves a class of that backend, such as `SGD` of a module `torch_sgd`: elsewhere
    it cannot train, and without PyTorch it cannot be loaded.
    """
    if not isinstance(config, dict):
        return config
    config = {key: of_any_backend(value) for key, value in config.items()}
    name, module = config.get("class_name"), config.get("module")
    if isinstance(name, str) and str(module).endswith(f".torch_{name.lower()}"):
        config |= {"module": "keras.optimizers", "registered_name": None}
    return config
