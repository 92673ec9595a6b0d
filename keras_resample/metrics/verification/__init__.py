"""Scores of pairs, and the numbers read off them."""
