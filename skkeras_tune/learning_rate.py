"""The learning-rate range test: an estimator and rows in, a curve and a rate out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from sklearn.base import clone

from skkeras_tune.estimators.base import KerasEstimator
from skkeras_tune.nesting import list_networks
from skkeras_tune.optional import import_optional

Array = NDArray[np.float64]

# Of the loss in each step, which is noisy: its moving average decides that training has
# diverged. The curve is drawn without lone outliers, and by a filter that is a share of
# the steps wide.
_MEMORY = 0.9
_DIVERGED = 4.0
_FIRST_STEPS = 10
_OUTLIERS = 5
_SMOOTHING = 0.02
_SAFETY = 10.0

_ARGUMENTS = ("min_rate", "max_rate", "n_steps")
_ROUTES_LEFT_OUT = (
    "callbacks__",
    "fit__callbacks",
    "fit__epochs",
    "fit__validation_",
    "fit__verbose",
    "optimizer__learning_rate",
)


@dataclass(eq=False, repr=False)
class LearningRateCurve:
    """The loss of a network as its learning rate rises from step to step.

    Attributes
    ----------
    rates : ndarray of shape (n_steps,)
        The learning rate of each step.
    losses : ndarray of shape (n_steps,)
        The training loss of each step's batch, before the step.
    smoothed_losses : ndarray of shape (n_steps,)
        The losses without most of their noise.
    suggestion : float
        A tenth of the rate at which the smoothed loss is lowest.
    """

    rates: Array
    losses: Array

    def __repr__(self) -> str:
        steps = len(self.rates)
        return f"LearningRateCurve(suggestion={self.suggestion:.3g}, {steps} steps)"

    @property
    def smoothed_losses(self) -> Array:
        """The losses without most of their noise."""
        width = max(1.0, _SMOOTHING * len(self.losses))
        usual = median_filter(self.losses, _OUTLIERS, mode="nearest")
        smoothed: Array = gaussian_filter1d(usual, width, mode="nearest")
        return smoothed

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the smoothed loss is lowest."""
        return float(self.rates[np.argmin(self.smoothed_losses)]) / _SAFETY

    def plot(self, ax: Any = None) -> "LearningRateCurve":
        """Draw the losses over the rates, and the suggestion.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        LearningRateCurve
            The curve itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        pyplot = import_optional("matplotlib.pyplot", "LearningRateCurve.plot")
        if ax is None:
            _, ax = pyplot.subplots()
        ax.plot(self.rates, self.losses, alpha=0.3, label="each step")
        ax.plot(self.rates, self.smoothed_losses, label="smoothed")
        label = f"suggestion: {self.suggestion:.2g}"
        ax.axvline(self.suggestion, color="black", linestyle=":", label=label)
        ax.set(xscale="log", xlabel="Learning rate", ylabel="Training loss")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def find_learning_rate(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    min_rate: float = 1e-6,
    max_rate: float = 10.0,
    n_steps: int = 300,
    **fit_params: Any,
) -> LearningRateCurve:
    """Suggest a learning rate by a range test.

    A copy of the estimator is trained for a few hundred steps, in which the learning
    rate rises exponentially. The loss stays where it is while the rate is too small,
    falls, and rises when the rate is too large. The test ends early when the loss has
    grown to four times that of the first steps or, where it may be negative, has risen
    by three times their size. It costs as much as a few epochs.

    The suggestion is a starting point for a search rather than its end: a tenth of the
    rate at which the loss is lowest, as practitioners take it. At the lowest point
    itself, the loss is about to rise. Where batches differ much from each other, the
    lowest point is a matter of luck: look at the plot.

    Parameters
    ----------
    estimator : estimator
        A `KerasClassifier` or `KerasRegressor`, or an estimator that holds one: a
        pipeline, say. It is left as it is, and its callbacks take no part.
    X : array-like of shape (n_samples, n_features)
        Rows to train on. None is held out.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    min_rate, max_rate : float, default=1e-6 and 10
        The rates of the first and of the last step.
    n_steps : int, default=300
        Number of steps.
    **fit_params
        Arguments of the estimator's `fit`, such as `sample_weight`.

    Returns
    -------
    LearningRateCurve
        With ``rates``, ``losses`` and ``smoothed_losses`` (arrays, one value a step),
        ``suggestion`` (a float), and ``plot(ax=None)``.

    Raises
    ------
    ValueError
        If the rates or the number of steps make no range, the estimator holds several
        networks or trains one several times, or the loss is not finite from the start.
    TypeError
        If the estimator holds no network of this package.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", 2017, has the test;
    the tenth is that of fastai's `lr_find`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skkeras_tune import KerasClassifier, find_learning_rate
    >>> X, y = load_digits(return_X_y=True)
    >>> network = KerasClassifier(random_state=0)
    >>> curve = find_learning_rate(network, X / 16, y)
    >>> bool(1e-4 < curve.suggestion < 1e-1)
    True
    >>> network.set_params(learning_rate=curve.suggestion).fit(X / 16, y).score(
    ...     X / 16, y
    ... ) > 0.9
    True
    """
    _validate_range(min_rate, max_rate, n_steps)
    ramp = RateRamp(np.geomspace(min_rate, max_rate, n_steps))
    _find_network(estimator)  # before `clone`, whose error would say less
    prepared = _prepare(clone(estimator), ramp)
    with _naming_own(fit_params):
        prepared.fit(X, y, **fit_params)
    if ramp.n_fits > 1:
        message = (
            f"find_learning_rate takes an estimator that trains its network once. Got "
            f"{type(estimator).__name__}, which trained it {ramp.n_fits} times: pass "
            "the estimator inside of it."
        )
        raise ValueError(message)
    if len(ramp.losses) < _FIRST_STEPS:
        message = (
            f"The loss is not finite after {len(ramp.losses)} steps, from min_rate="
            f"{min_rate:g} on. Scale X and y, or lower min_rate."
        )
        raise ValueError(message)
    losses = np.asarray(ramp.losses, np.float64)
    return LearningRateCurve(ramp.rates[: len(losses)], losses)


@contextmanager
def _naming_own(fit_params: Iterable[str]) -> Iterator[None]:
    """Add the arguments that are not for `fit` to its error of one much like them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        near = [name for name in fit_params if get_close_matches(name, _ARGUMENTS)]
        if near:
            error.add_note(
                f"find_learning_rate itself takes {', '.join(_ARGUMENTS)} and passes "
                f"{', '.join(near)} on to fit."
            )
        raise


def _validate_range(min_rate: float, max_rate: float, n_steps: int) -> None:
    if not 0 < min_rate < max_rate < np.inf:
        message = (
            "min_rate and max_rate must be finite, with 0 < min_rate < max_rate. Got "
            f"{min_rate!r} and {max_rate!r} instead."
        )
        raise ValueError(message)
    if not isinstance(n_steps, Integral) or n_steps < _FIRST_STEPS:
        message = f"n_steps must be an int of at least 10. Got {n_steps!r} instead."
        raise ValueError(message)


def _prepare(estimator: Any, ramp: "RateRamp") -> Any:
    """Set an estimator's network to train under the ramp, and nothing else."""
    network = _find_network(estimator)
    for name in list(vars(network)):
        if name.startswith(_ROUTES_LEFT_OUT):
            delattr(network, name)
    settings: dict[str, Any] = {
        "callbacks": [ramp],
        "early_stopping": False,
        "engine": "keras",  # the compiled one has no steps to look at
        "epochs": len(ramp.rates),  # at least one step each; the ramp ends it
        "n_members": 1,
        "refit_full": False,
        "validation_split": 0.0,
        "verbose": 0,
        "warm_start": False,
    }
    is_instance = isinstance(network.optimizer, keras.optimizers.Optimizer)
    if is_instance or not isinstance(network.learning_rate, Real):
        settings["learning_rate"] = float(ramp.rates[0])  # in place of a schedule
    network.set_params(**settings)
    return estimator


def _find_network(estimator: Any) -> KerasEstimator:
    """Return the network that an estimator is or holds."""
    found = list_networks(estimator)
    if not found:
        message = (
            "find_learning_rate needs a KerasClassifier or KerasRegressor, or an "
            f"estimator that holds one. Got {estimator!r} instead."
        )
        raise TypeError(message)
    if len(found) > 1:
        message = (
            "find_learning_rate takes an estimator with one network. Got those of "
            f"{sorted(prefix.removesuffix('__') for prefix in found)!r}."
        )
        raise ValueError(message)
    (network,) = found.values()
    return network  # type: ignore[no-any-return]


class RateRamp(keras.callbacks.Callback):
    """Raises the learning rate with each step, and notes the loss of each.

    Estimators copy their callbacks; this one stays the same object, wherever in a
    nested estimator it is, so that whoever made it sees the losses.

    Parameters
    ----------
    rates : ndarray of shape (n_steps,)
    """

    def __init__(self, rates: Array) -> None:
        super().__init__()
        self.rates = rates
        self.losses: list[float] = []
        self.n_fits = 0
        self._limit, self._averages = np.inf, np.zeros(2)

    def __deepcopy__(self, memo: Any) -> "RateRamp":
        return self

    def on_train_begin(self, logs: Any = None) -> None:
        self.n_fits += 1
        self._first_weights = self.model.get_weights()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.n_fits > 1:  # which is no test of the first network any more
            self.model.stop_training = True
            return
        self.model.optimizer.learning_rate = float(self.rates[len(self.losses)])
        self.model.reset_metrics()  # or the loss would be the epoch's mean so far

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.n_fits > 1:
            return
        loss = float((logs or {})["loss"])
        if np.isfinite(loss):
            self.losses.append(loss)
        if not np.isfinite(loss) or self._is_over(loss):
            self.model.stop_training = True
            # A fit refuses weights and losses that are not finite.
            self.model.set_weights(self._first_weights)
            self.model.reset_metrics()

    def _is_over(self, loss: float) -> bool:
        n, new = len(self.losses), np.array([loss, abs(loss)])
        previous = new if n == 1 else self._averages
        self._averages = _MEMORY * previous + (1 - _MEMORY) * new
        average, size = self._averages
        if n == _FIRST_STEPS:
            # Four times the average where losses are positive. Those of either sign
            # may average to nothing, so that their size says what is far above them.
            self._limit = (average - size) + _DIVERGED * size
        return n == len(self.rates) or bool(average > self._limit)
