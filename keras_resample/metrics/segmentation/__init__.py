"""Class maps against their labels."""
