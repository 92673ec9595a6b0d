"""Images with identities, from files and arrays."""
