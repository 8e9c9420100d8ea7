"""Keras networks as scikit-learn estimators, and the searches that tune them."""

from skkeras_tune.estimators import KerasClassifier, KerasRegressor
from skkeras_tune.fusion import fused
from skkeras_tune.network import build_mlp
from skkeras_tune.search.bayes import BayesSearchCV
from skkeras_tune.training.program_store import set_program_cache

__all__ = [
    "BayesSearchCV",
    "KerasClassifier",
    "KerasRegressor",
    "build_mlp",
    "fused",
    "set_program_cache",
]

__version__ = "0.1.0"
