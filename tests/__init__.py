"""The test suite. `python tests/run.py` runs it on TensorFlow, JAX and PyTorch."""
