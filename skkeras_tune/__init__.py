"""Keras networks as scikit-learn estimators, and the searches that tune them."""

from skkeras_tune.display import HistoryDisplay, SearchDisplay
from skkeras_tune.ensemble.estimators import EnsembleClassifier, EnsembleRegressor
from skkeras_tune.estimators import KerasClassifier, KerasRegressor
from skkeras_tune.fusion import fused
from skkeras_tune.learning_rate import find_learning_rate
from skkeras_tune.network import build_mlp
from skkeras_tune.preprocessing.table import TablePreprocessor
from skkeras_tune.search.bayes import BayesSearchCV
from skkeras_tune.search.describe import describe_space
from skkeras_tune.search.epochs import best_epoch
from skkeras_tune.search.hyperband import HyperbandSearchCV
from skkeras_tune.search.results import best_params, results_frame
from skkeras_tune.search.spaces import mlp_space
from skkeras_tune.training.pausing import Stages
from skkeras_tune.training.programs.store import set_program_cache
from skkeras_tune.tuning.tune import tune

__all__ = [
    "BayesSearchCV",
    "EnsembleClassifier",
    "EnsembleRegressor",
    "HistoryDisplay",
    "HyperbandSearchCV",
    "KerasClassifier",
    "KerasRegressor",
    "SearchDisplay",
    "Stages",
    "TablePreprocessor",
    "best_epoch",
    "best_params",
    "build_mlp",
    "describe_space",
    "find_learning_rate",
    "fused",
    "mlp_space",
    "results_frame",
    "set_program_cache",
    "tune",
]

__version__ = "0.1.0"
