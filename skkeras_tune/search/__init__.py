"""Which networks to train: searches, search spaces and their results."""
