"""Keypoints of datasets: where they come from, and how they are warped with the images."""
