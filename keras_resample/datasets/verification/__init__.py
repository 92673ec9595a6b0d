"""Pairs and templates to verify."""
