"""Plots in scikit-learn's Display form: a fitted network or search in, axes out."""

from skkeras_tune.display.history import HistoryDisplay
from skkeras_tune.display.search import SearchDisplay

__all__ = ["HistoryDisplay", "SearchDisplay"]
