"""Images with class maps."""
