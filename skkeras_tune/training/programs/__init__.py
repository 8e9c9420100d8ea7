"""The epoch loop, compiled for what its members have in common."""
