"""Comparison of ways to recognise images of several resolutions."""
