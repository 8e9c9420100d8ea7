"""Contenders in, what they did in their rungs out: all folds of all, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.utils.parallel import delayed

from skkeras_tune.search.contest import Contender, Row
from skkeras_tune.search.stages import train_stage
from skkeras_tune.training.plan import Paused

#: Where the trainings of a contender have paused, for each fold.
Pauses = tuple[Paused, ...]


@dataclass(frozen=True, eq=False)
class RungTrainer:
    """Trains contenders to the ends of their rungs.

    Attributes
    ----------
    estimator : estimator
        Not fitted.
    X, y
        All rows.
    splits : sequence of (train rows, test rows)
    resource : str
        Name of the parameter that counts the epochs.
    step_seed : int
        Of the steps before the network that have no seed.
    options : dict
        Further arguments of `train_stage`.
    parallel : joblib.Parallel
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    resource: str
    step_seed: int
    options: dict[str, Any]
    parallel: Any

    def count_fits(self, contenders: Sequence[Contender]) -> int:
        """Return how many trainings contenders take, each in all folds."""
        return len(contenders) * len(self.splits)

    def train(
        self, contenders: Sequence[Contender], evaluations: Sequence[dict[str, Any]]
    ) -> tuple[list[Row], list[Pauses]]:
        """Train each contender in each fold, from where it is.

        Parameters
        ----------
        contenders : sequence of Contender
        evaluations : sequence of dict
            More arguments for each fit.

        Returns
        -------
        rows : list of Row
            Of each contender.
        paused : list of tuples
            Where its trainings have paused now.
        """
        n_splits = len(self.splits)
        params = [{**c.settings, self.resource: c.epochs} for c in contenders]
        # The longest begin first, and short ones fill the gaps that they leave.
        order = sorted(range(len(contenders)), key=lambda c: -contenders[c].epochs)
        places = [(c, fold) for c in order for fold in range(n_splits)]
        done = self.parallel(
            delayed(train_stage)(
                self.estimator,
                self.X,
                self.y,
                params[c],
                contenders[c].paused[fold],
                keeps=not contenders[c].is_last,
                step_seed=self.step_seed,
                train=self.splits[fold][0],
                test=self.splits[fold][1],
                split_progress=(fold, n_splits),
                candidate_progress=(c, len(contenders)),
                **self.options,
                **evaluations[c * n_splits + fold],
            )
            for c, fold in places
        )
        starts = dict(zip(order, range(0, len(done), n_splits), strict=True))
        folds = [done[starts[c] : starts[c] + n_splits] for c in range(len(contenders))]
        rows = [
            Row(contender.place, settings, [record for record, _ in parts])
            for contender, settings, parts in zip(
                contenders, params, folds, strict=True
            )
        ]
        return rows, [tuple(paused for _, paused in parts) for parts in folds]


def list_scores(row: Row, metric: str) -> list[float]:
    """Return the score in each fold, or NaN for all if the fit failed in one."""
    if any(record["fit_error"] is not None for record in row.records):
        return [float("nan")] * len(row.records)
    scores = [record["test_scores"] for record in row.records]
    return [float(s[metric] if isinstance(s, dict) else s) for s in scores]
