"""Keras models: built, described, judged, kept for the next training."""
