"""Small layers that networks are built of."""
