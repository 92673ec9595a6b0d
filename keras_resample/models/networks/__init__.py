"""Published networks as Functional models."""
