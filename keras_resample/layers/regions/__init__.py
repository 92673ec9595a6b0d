"""Regions of images and of feature maps."""
