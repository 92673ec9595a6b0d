"""Models that share the weights of another one, and how they run."""


def run_as(model, other):
    """Lets `model` predict eagerly where `other` does; `other` may have been compiled anew."""
    if model.run_eagerly != other.run_eagerly:
        model.run_eagerly = other.run_eagerly
        model.predict_function = None  # made for what was
    return model
