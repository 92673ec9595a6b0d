"""Attention that knows where tokens are: by keypoints, and by the encodings it is set against."""
