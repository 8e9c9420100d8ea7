"""What a fit leaves: members in; their mean, its model, weights and predictions out."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import keras
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError

from skkeras_tune._scikeras import BaseWrapper
from skkeras_tune.estimators.averaging import (
    average_histories,
    average_outputs,
    build_average,
    middle_epoch,
)
from skkeras_tune.estimators.members import FittedMember, predict_members
from skkeras_tune.estimators.parameters import (
    refuse_score_options,
    resolve_predict_options,
)
from skkeras_tune.estimators.rows import validate_features
from skkeras_tune.routing import route_options

#: The attributes that a fit's results leave, beside those that say what the data is.
RESULTS = frozenset(
    {
        "best_epoch_",
        "callbacks_",
        "engine_",
        "engine_reason_",
        "history_",
        "n_epochs_",
        "refit_history_",
        "seed_",
    }
)

# What scikit-learn 1.9's callbacks know of a fit while it runs.
_RUNNING = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")


class FittedEstimator(BaseWrapper):
    """The part of both estimators that begins where a fit ends."""

    _members: tuple[FittedMember, ...] = ()
    _average: keras.Model | None = None

    def _keep(self, members: Sequence[FittedMember]) -> None:
        """Take these as the members, and their mean as what the fit gave."""
        first = members[0]
        self._members, self._average = tuple(members), None
        self.seed_ = first.seed
        self.history_ = average_histories([m.history for m in members])
        self.n_epochs_ = len(self.history_["loss"])
        self.best_epoch_ = middle_epoch([m.best_epoch for m in members])
        self.__dict__.pop("refit_history_", None)
        if first.refit_history is not None:
            refits = [m.refit_history or {} for m in members]
            self.refit_history_ = average_histories(refits)
        if first.callbacks is not None:
            self.callbacks_ = first.callbacks
        if first.engine is not None:
            self.engine_, self.engine_reason_ = first.engine, first.reason

    @property
    def _is_fitted(self) -> bool:
        return bool(self._members)

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted

    @property
    def initialized_(self) -> bool:
        """Whether there is a model to predict with."""
        return self._is_fitted

    @property
    def current_epoch(self) -> int:
        """Number of epochs in `history_`."""
        return len(self.history_["loss"]) if self._is_fitted else 0

    @property
    def members_(self) -> list[Self]:
        """The members as estimators of one network each, which they share with this."""
        return [self._view(member) for member in self._fitted_members()]

    def _view(self, member: FittedMember) -> Self:
        view = copy.copy(self)
        view.n_members, view.random_state = 1, member.seed
        view._keep([member])
        return view

    @property
    def model_(self) -> keras.Model:
        """The trained Keras model, built on first use; of several, their average."""
        models = [member.trained.hand_over() for member in self._fitted_members()]
        if len(models) == 1:
            return models[0]
        if self._average is None:
            self._average = build_average(models, tuple(self.X_shape_[1:]))
        return self._average

    @property
    def weights_(self) -> list[NDArray[Any]]:
        """The trained weights, in the order of ``model_.get_weights()``."""
        each = [member.trained.state.weights for member in self._fitted_members()]
        return each[0] if len(each) == 1 else [w for weights in each for w in weights]

    def _fitted_members(self) -> tuple[FittedMember, ...]:
        if not self._members:
            message = (
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' "
                "before using it, or 'initialize' if its model is trained already."
            )
            raise NotFittedError(message)
        return self._members

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        for name in ("callbacks_", "_average", *_RUNNING):
            state.pop(name, None)
        return state

    # --- predicting

    def _predict_members(self, X: Any, given: dict[str, Any]) -> list[Any]:
        """Return each member's outputs for X."""
        members = self._fitted_members()
        x = self.feature_encoder_.transform(validate_features(self, X, reset=False))
        options = resolve_predict_options(self.get_params(deep=False), given)
        return predict_members(members, x, options, type(self).__name__)

    def _predict_outputs(self, X: Any, given: dict[str, Any]) -> Any:
        """Return the network's outputs for X, or the mean of several networks'."""
        return average_outputs(self._predict_members(X, given))

    def _refuse_single(self, method: str) -> None:
        """Refuse to measure how members differ where there is one."""
        if len(self._fitted_members()) == 1:
            message = (
                f"{method} measures how the members of a {type(self).__name__} differ, "
                "and this one has a single network. Set n_members to 2 or more (5, "
                "say) and fit it again."
            )
            raise ValueError(message)

    def predict(self, X: ArrayLike, **options: Any) -> NDArray[Any]:
        """Return the most probable label, or the predicted numbers, of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        **options
            Arguments of `keras.Model.predict`, such as `batch_size`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Shaped as `y` in `fit`; a regressor's predictions have the type of a `y` of
            floats.
        """
        outputs = self._predict_outputs(X, options)
        return self._decode(outputs)

    def _decode(self, outputs: Any) -> NDArray[Any]:
        """Return predictions in the form of `y`."""
        predictions: NDArray[Any] = self.target_encoder_.inverse_transform(outputs)
        return predictions

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return what `scorer` says: the accuracy, or R squared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Higher is better.

        Raises
        ------
        TypeError
            If `scorer` does not take an option that is routed to it.
        """
        options = route_options(self.get_params(deep=False), "score")
        refuse_score_options(options, self.scorer, type(self).__name__)
        predictions = self.predict(X)
        return float(
            self.scorer(y, predictions, sample_weight=sample_weight, **options)
        )
