"""Augmentation of images, together with what is known of places on them."""
