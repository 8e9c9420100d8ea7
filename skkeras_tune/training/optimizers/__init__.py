"""Keras's optimizers as formulas: a step of theirs on stacked weights."""
