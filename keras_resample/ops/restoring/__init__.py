"""The way back from samples to pixels."""
