"""Digits under affine transforms by vision transformers with and without keypoints."""
