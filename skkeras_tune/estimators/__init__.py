"""Keras networks as scikit-learn estimators: tables in, trained networks out."""

from skkeras_tune.estimators.classifier import KerasClassifier
from skkeras_tune.estimators.regressor import KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor"]
