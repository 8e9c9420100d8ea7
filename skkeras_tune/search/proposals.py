"""Which candidates a Bayesian search tries next: none twice, failures or not.

Scores of past points come in; new points go out.
"""

import copy
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import skopt
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone
from skopt.learning import GaussianProcessRegressor
from skopt.space import Dimension, Integer

from skkeras_tune.search.choice import Choice

#: Points drawn at random before those of a finite space are gone through in order.
N_DRAWS = 100

#: Points gone through in order, so that a constrained space cannot take for ever.
MAX_ENUMERATED = 100_000

# Of a surrogate's variance, the noise that an imagined score may have: with more, the
# surrogate is no less curious about a place that it has imagined.
_MOST_NOISE = 0.1


class DistinctOptimizer:
    """A skopt optimizer that survives failures and asks for no point twice.

    A failed point, whose score is nan or infinite, is told to the surrogate as the
    worst finite score so far, and is told anew when the worst changes. While there is
    no finite score, there is nothing to fit a surrogate to, and points are random.

    Where points are chosen by confidence bounds, the surrogate is told the normal
    quantiles of the ranks of the scores instead of these [1]_. A setting that does not
    train at all, of R2 -5 say, would else have it take all that do for equals.

    Parameters
    ----------
    optimizer : skopt.Optimizer
        The optimizer, whose categorical dimensions are `Choice`.

    References
    ----------
    .. [1] D. Salinas, H. Shen, V. Perrone, "A Quantile-based Approach for
       Hyperparameter Transfer Learning", International Conference on Machine Learning,
       2020, https://proceedings.mlr.press/v119/salinas20a.html.
    """

    def __init__(self, optimizer: skopt.Optimizer) -> None:
        self.optimizer = optimizer
        self.scores: list[float] = []
        self.told: list[float] = []
        self.asked: set[tuple[Any, ...]] = set()

    @property
    def by_bounds(self) -> bool:
        """Whether points are chosen by confidence bounds."""
        return bool(self.optimizer.acq_func == "LCB")

    def ask(self, n_points: int) -> list[list[Any]]:
        """Return new points: n_points of them, or all that the space has left."""
        points = []
        for proposal in self._propose(n_points):
            for candidate in itertools.chain([proposal], self._draw_others()):
                point = self._to_python(candidate)
                key = self._to_key(point)
                if key not in self.asked:
                    self.asked.add(key)
                    points.append(point)
                    break
        return points

    def tell(self, points: list[list[Any]], scores: Iterable[float]) -> OptimizeResult:
        """Record the scores of points; higher is better."""
        self.scores.extend(scores)
        worst = min(filter(math.isfinite, self.scores), default=None)
        penalty = -(worst or 0.0)
        losses = np.array([-s if math.isfinite(s) else penalty for s in self.scores])
        self.told = (_to_normal_scores(losses) if self.by_bounds else losses).tolist()
        n_told = len(losses) - len(points)
        optimizer = self.optimizer
        optimizer.yi[:] = self.told[:n_told]
        optimizer.tell(points, self.told[n_told:], fit=worst is not None)
        optimizer.yi[:] = losses.tolist()
        return optimizer.get_result()

    def _propose(self, n_points: int) -> list[list[Any]]:
        optimizer = self.optimizer
        is_initial = len(self.scores) < optimizer.n_initial_points_
        if not is_initial and not any(map(math.isfinite, self.scores)):
            drawn: list[list[Any]] = optimizer.space.rvs(n_points, optimizer.rng)
            return drawn
        with warnings.catch_warnings():
            # It says that a known point was exchanged for a random one, which may be
            # known too; `ask` sees to both.
            warnings.filterwarnings(
                "ignore", "The objective has been evaluated at", UserWarning
            )
            if n_points == 1:
                # ask(1) would fit two more surrogates, to copies: three times the time.
                return [optimizer.ask()]
            believes = self.by_bounds and optimizer.models
            return self._believe(n_points) if believes else optimizer.ask(n_points)

    def _believe(self, n_points: int) -> list[list[Any]]:
        """Ask one by one, and take the surrogate's word for the score of each.

        What it expects of a place changes nothing there but how sure it is, and a
        confidence bound goes elsewhere then (GP-BUCB, Desautels et al. 2014). To the
        other acquisition functions a place that promises much stays the best one.
        """
        model = self.optimizer.models[-1]
        imagined = copy.copy(self.optimizer)
        # Its own lists: the others learn nothing of what is imagined.
        imagined.Xi, imagined.yi = list(imagined.Xi), list(self.told)
        imagined.models = list(imagined.models)
        points = [imagined.ask()]
        while len(points) < n_points:
            imagined.base_estimator_ = prepare_to_imagine(model, len(points))
            place = imagined.space.transform(points[-1:])
            imagined.tell(points[-1], float(imagined.models[-1].predict(place)[0]))
            points.append(imagined.ask())
        return points

    def _draw_others(self) -> Iterator[list[Any]]:
        space = self.optimizer.space
        yield from space.rvs(N_DRAWS, random_state=self.optimizer.rng)
        columns = [_list_values(dimension) for dimension in space]
        points = map(list, itertools.product(*columns))
        for point in itertools.islice(points, MAX_ENUMERATED):
            if point in space:
                yield point

    def _to_python(self, point: list[Any]) -> list[Any]:
        return [
            value if isinstance(dimension, Choice) else np.asarray(value).item()
            for dimension, value in zip(self.optimizer.space, point, strict=True)
        ]

    def _to_key(self, point: list[Any]) -> tuple[Any, ...]:
        return tuple(
            dimension.find_positions([value])[0]
            if isinstance(dimension, Choice)
            else value
            for dimension, value in zip(self.optimizer.space, point, strict=True)
        )


def prepare_to_imagine(model: BaseEstimator, n_imagined: int) -> BaseEstimator:
    """Return a surrogate to fit to a fitted one's points and to so many imagined ones.

    A Gaussian process keeps its kernel, and takes what is imagined for no surer than
    scores are, unless they tell nothing: it would imagine one place again and again.
    """
    if not isinstance(model, GaussianProcessRegressor):
        return clone(model)
    # Once fitted, the noise is no longer in the kernel.
    noise = model.alpha + (model.noise_ or 0.0)
    most = _MOST_NOISE * model.kernel_.diag(model.X_train_[:1])[0]
    counts = [len(model.X_train_), n_imagined]
    alpha = np.repeat([noise, min(noise, most)], counts)
    return clone(model).set_params(
        kernel=model.kernel_, alpha=alpha, noise=None, optimizer=None
    )


def _to_normal_scores(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of a normal distribution that the ranks stand for."""
    scores: NDArray[np.float64] = ndtri((rankdata(losses) - 0.5) / len(losses))
    return scores


def _list_values(dimension: Dimension) -> Sequence[Any]:
    """Return the values that can be drawn from a dimension; none if too many."""
    if isinstance(dimension, Choice):
        pairs = zip(dimension.categories, dimension.prior_, strict=True)
        return [value for value, prior in pairs if prior > 0]
    if isinstance(dimension, Integer):
        return range(dimension.low, dimension.high + 1)
    return []
