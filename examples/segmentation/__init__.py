"""The parts of `segment_high_resolution.py`: data, networks, methods, training, report."""
