"""Recognizers behind several front ends: verification of identities never seen in training."""
