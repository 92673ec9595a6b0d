"""`python -m keras_resample`: `compare`, and commands that work on the file of a model."""
