"""Fine-grained classes by networks that look at a part of their maps in full detail."""
