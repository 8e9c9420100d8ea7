"""A search and rows in; the fitted search, or an ensemble of it, out.

Whatever comes out is trained on all rows, as the last fit says.
"""

from dataclasses import dataclass
from typing import Any

from skkeras_tune.ensemble.estimators import EnsembleClassifier, EnsembleRegressor
from skkeras_tune.search.winner import build_winner, fit_winner, keep_winner
from skkeras_tune.tuning.assembly import find_preprocessor
from skkeras_tune.tuning.last_fit import LastFit
from skkeras_tune.tuning.scoring import refuse_no_winner, refuse_several_scores
from skkeras_tune.tuning.target import Target


@dataclass(frozen=True, eq=False)
class Rows:
    """The checked data, and what goes with it: groups to a search, the rest to all."""

    X: Any
    target: Target
    groups: Any
    fit_params: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of a search's `fit` beside the data."""
        groups = {} if self.groups is None else {"groups": self.groups}
        return {**groups, **self.fit_params}


def fit_search(search: Any, rows: Rows, last: LastFit) -> Any:
    """Fit a search, and its winner on all rows unless it does so itself."""
    search.fit(rows.X, rows.target.y, **rows.options)
    refuse_no_winner(search)
    if search.get_params(deep=False).get("refit") is False:
        _refit(search, rows, last)
    _report_columns(search)
    return search


def _refit(search: Any, rows: Rows, last: LastFit) -> None:
    """Fit the winner of a search that has not done so, with its networks' epochs."""
    refuse_several_scores(search)
    winner = build_winner(search)
    winner.set_params(**last.list_params(winner))
    fit_winner(search, winner, rows.X, rows.target.y, rows.fit_params)
    search.refit = True


def _report_columns(search: Any) -> None:
    preprocessor = find_preprocessor(getattr(search, "best_estimator_", None))
    if preprocessor is not None:
        search.column_report_ = preprocessor.report()


def fit_ensemble(
    search: Any,
    rows: Rows,
    n_best: int,
    last: LastFit,
    scoring: Any,
    seed: int | None,
) -> Any:
    """Fit an ensemble of a search, among whose members the winner is, as a rule."""
    kind = EnsembleClassifier if rows.target.classifies else EnsembleRegressor
    ensemble = kind(
        search,
        n_best=n_best,
        scoring=scoring,
        random_state=seed,
        final_params=last.list_member_params(search.estimator, n_best),
    )
    ensemble.fit(rows.X, rows.target.y, **rows.options)
    fitted = ensemble.search_
    if fitted.get_params(deep=False).get("refit") is False:
        name = f"candidate_{fitted.best_index_}"
        if name in ensemble.named_estimators_:
            keep_winner(fitted, ensemble.named_estimators_[name])
            fitted.refit = True
        else:
            _refit(fitted, rows, last)
    _report_columns(fitted)
    return ensemble
