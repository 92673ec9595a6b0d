"""Ranks, templates and galleries."""
