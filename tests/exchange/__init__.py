"""Files that one backend writes and the others load."""
