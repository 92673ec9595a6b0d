"""Segmentation of large images at a small size, behind several ways of downsampling."""
