"""Learning curves: a fitted network in, a panel for each of its metrics out."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.display.panels import make_axes
from skkeras_tune.nesting import find_fitted


class HistoryDisplay:
    """Learning curves of a fitted network.

    Make it with `from_estimator`.

    Parameters
    ----------
    history : mapping of str to sequence of float
        The value of each metric after each epoch, as in ``estimator.history_``; those
        of held-out rows begin with ``val_``.
    best_epoch : int, default=None
        The epoch to mark, counted from 1; None marks none.
    members : sequence of mapping, default=()
        The history of each member, drawn thinly behind their mean.
    validation_freq : int, default=None
        Epochs from one evaluation of the held-out rows to the next; None tells it from
        the number of values.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The first panel.
    axes_ : ndarray of matplotlib.axes.Axes
        A panel for each metric.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    lines_ : dict of str to matplotlib.lines.Line2D
        The curves by their entries in the history.
    best_lines_ : list of matplotlib.lines.Line2D
        The marks of the best epoch, one for each panel, or none.

    See Also
    --------
    SearchDisplay : The scores of a search.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skkeras_tune import HistoryDisplay, KerasClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = KerasClassifier(metrics=["accuracy"], epochs=20, random_state=0)
    >>> display = HistoryDisplay.from_estimator(network.fit(X, y))
    >>> sorted(display.lines_)
    ['accuracy', 'loss', 'val_accuracy', 'val_loss']
    >>> display.ax_.get_ylabel()
    'loss'
    """

    def __init__(
        self,
        *,
        history: Mapping[str, Sequence[float]],
        best_epoch: int | None = None,
        members: Sequence[Mapping[str, Sequence[float]]] = (),
        validation_freq: int | None = None,
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.members = members
        self.validation_freq = validation_freq

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        metrics: str | Sequence[str] | None = None,
        ax: Any = None,
        train_kw: Mapping[str, Any] | None = None,
        validation_kw: Mapping[str, Any] | None = None,
        best_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the learning curves of a fitted network.

        Parameters
        ----------
        estimator : estimator
            A fitted `KerasClassifier` or `KerasRegressor`, or a pipeline that ends in
            one, a `TransformedTargetRegressor` around one, or a search that was refit.
        metrics : str or sequence of str, default=None
            Which metrics, without ``val_``. None draws all, the loss first.
        ax : matplotlib.axes.Axes or array of them, default=None
            Where to draw, one for each metric; None makes a new figure.
        train_kw, validation_kw, best_kw : mapping, default=None
            Styles, as for `plot`.

        Returns
        -------
        HistoryDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it holds no network of this package.
        ValueError
            If a metric is not in the history, or `ax` has another number of panels.
        ImportError
            If matplotlib is not installed.
        """
        network = find_fitted(estimator, "members_", "HistoryDisplay")
        members = [member.history_ for member in network.members_]
        has_best = network.best_epoch_ < network.n_epochs_ or any(
            name.startswith("val_") for name in network.history_
        )
        params = network.get_params(deep=False)
        freq = params.get("validation_freq", params.get("fit__validation_freq"))
        display = cls(
            history=network.history_,
            best_epoch=network.best_epoch_ if has_best else None,
            members=members if len(members) > 1 else (),
            validation_freq=freq if isinstance(freq, int) else None,
        )
        return display.plot(
            ax,
            metrics=metrics,
            train_kw=train_kw,
            validation_kw=validation_kw,
            best_kw=best_kw,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        metrics: str | Sequence[str] | None = None,
        train_kw: Mapping[str, Any] | None = None,
        validation_kw: Mapping[str, Any] | None = None,
        best_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw a panel for each metric.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or array of them, default=None
            Where to draw, one for each metric; None makes a new figure.
        metrics : str or sequence of str, default=None
            Which metrics, without ``val_``. None draws all, the loss first.
        train_kw, validation_kw : mapping, default=None
            Styles of the curves of the training rows and of the held-out rows, for
            `matplotlib.axes.Axes.plot`.
        best_kw : mapping, default=None
            Style of the mark, for `matplotlib.axes.Axes.axvline`.

        Returns
        -------
        HistoryDisplay
            The display itself, with `ax_`, `axes_`, `figure_` and `lines_`.

        Raises
        ------
        ValueError
            If a metric is not in the history, or `ax` has another number of panels.
        ImportError
            If matplotlib is not installed.
        """
        names = self._list_metrics(metrics)
        self.axes_ = make_axes(ax, len(names), "HistoryDisplay.plot")
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.lines_, self.best_lines_ = {}, []
        styles = (
            ("", {"color": "C0", "label": "train", **(train_kw or {})}),
            ("val_", {"color": "C1", "label": "validation", **(validation_kw or {})}),
        )
        for panel, name in zip(self.axes_, names, strict=True):
            for prefix, style in styles:
                if prefix + name in self.history:
                    self.lines_[prefix + name] = self._draw(panel, prefix + name, style)
            if self.best_epoch is not None:
                label = f"best epoch: {self.best_epoch}"
                mark = {"color": "black", "linestyle": ":", "label": label}
                line = panel.axvline(self.best_epoch, **{**mark, **(best_kw or {})})
                self.best_lines_.append(line)
            panel.set(xlabel="Epoch", ylabel=name)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.legend()
        return self

    def _list_metrics(self, metrics: str | Sequence[str] | None) -> list[str]:
        known = list(dict.fromkeys(n.removeprefix("val_") for n in self.history))
        if metrics is None:
            return sorted(known, key=lambda name: name != "loss")
        chosen = [metrics] if isinstance(metrics, str) else list(metrics)
        unknown = [name for name in chosen if name not in known]
        if unknown or not chosen:
            message = f"metrics must be among {known!r}. Got {chosen!r} instead."
            raise ValueError(message)
        return chosen

    def _draw(self, panel: Any, name: str, style: Mapping[str, Any]) -> Any:
        for member in self.members:
            faint = {**style, "alpha": 0.25, "linewidth": 0.8, "label": None}
            panel.plot(*self._place(member, name), **faint)
        (line,) = panel.plot(*self._place(self.history, name), **style)
        return line

    def _place(
        self, history: Mapping[str, Sequence[float]], name: str
    ) -> tuple[NDArray[Any], Sequence[float]]:
        """Return the epochs of a metric's values, and the values."""
        values, n_epochs = history.get(name, ()), len(history.get("loss", ()))
        step = 1
        if values and len(values) < n_epochs:
            step = self.validation_freq or n_epochs // len(values)
        return step * np.arange(1, len(values) + 1), values
