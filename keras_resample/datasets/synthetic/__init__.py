"""Images drawn by a generator, which need no download."""
