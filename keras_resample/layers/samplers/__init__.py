"""`GridSampler` and its family: each says where to look."""
