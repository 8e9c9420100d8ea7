"""Fits in flight trained together: `fused`."""

from skkeras_tune.fusion.context import fused

__all__ = ["fused"]
