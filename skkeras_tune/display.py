"""Plots in scikit-learn's Display form: a fitted network or search in, axes out."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.nesting import find_fitted
from skkeras_tune.optional import import_optional
from skkeras_tune.search.results import read_results, resolve_metric

Kind = Literal["progress", "parameters"]

# A parameter whose values span less than this factor is drawn on a linear scale.
_LOG_SPAN = 10.0
_PANEL = (6.4, 3.2)


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
        self.axes_ = _make_axes(ax, len(names), "HistoryDisplay.plot")
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


class SearchDisplay:
    """Scores of a search's candidates.

    Make it with `from_search`.

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Mean score of each candidate, in the order in which they were tried; NaN where
        it failed.
    params : sequence of dict
        The settings of each candidate.
    iterations : array-like of shape (n_candidates,), default=None
        The iteration of each in a halving search, where scores of different iterations
        do not compare.
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The first panel.
    axes_ : ndarray of matplotlib.axes.Axes
        All panels.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    points_ : list of matplotlib.lines.Line2D
        The candidates, for each panel.
    lines_ : list of matplotlib.lines.Line2D
        The best score so far, for each iteration; none of `kind` "parameters".

    See Also
    --------
    HistoryDisplay : The learning curves of one network.
    results_frame : The same as a table.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skkeras_tune import KerasClassifier, SearchDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"learning_rate": [0.001, 0.01, 0.1], "activation": ["relu", "tanh"]}
    >>> network = KerasClassifier(epochs=10, random_state=0)
    >>> search = GridSearchCV(network, grid, cv=2).fit(X, y)
    >>> SearchDisplay.from_search(search).ax_.get_xlabel()
    'Candidate'
    >>> display = SearchDisplay.from_search(search, kind="parameters")
    >>> [panel.get_xlabel() for panel in display.axes_]
    ['activation', 'learning_rate']
    """

    def __init__(
        self,
        *,
        scores: Any,
        params: Sequence[Mapping[str, Any]],
        iterations: Any = None,
        score_name: str = "score",
    ) -> None:
        self.scores = scores
        self.params = params
        self.iterations = iterations
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        kind: Kind = "progress",
        parameters: str | Sequence[str] | None = None,
        metric: str | None = None,
        ax: Any = None,
        point_kw: Mapping[str, Any] | None = None,
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            Any search with scikit-learn's ``cv_results_``.
        kind : {"progress", "parameters"}, default="progress"
            Scores in the order of trial, or over the parameters; see `plot`.
        parameters : str or sequence of str, default=None
            Which parameters, by the names in the search. None draws those that vary.
        metric : str, default=None
            Which of several scores. None is the one that the search refits by.
        ax : matplotlib.axes.Axes or array of them, default=None
            Where to draw, one for each panel; None makes a new figure.
        point_kw, line_kw : mapping, default=None
            Styles, as for `plot`.

        Returns
        -------
        SearchDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If `kind`, a parameter or `metric` is not known, or `ax` has another number
            of panels.
        ImportError
            If matplotlib is not installed.
        """
        results = read_results(search)
        metric = resolve_metric(search, metric)
        scoring = getattr(search, "scoring", None)
        is_named = metric == "score" and isinstance(scoring, str)
        display = cls(
            scores=np.asarray(results[f"mean_test_{metric}"], float),
            params=list(results["params"]),
            iterations=results.get("iter"),
            score_name=str(scoring) if is_named else metric,
        )
        return display.plot(
            ax, kind=kind, parameters=parameters, point_kw=point_kw, line_kw=line_kw
        )

    def plot(
        self,
        ax: Any = None,
        *,
        kind: Kind = "progress",
        parameters: str | Sequence[str] | None = None,
        point_kw: Mapping[str, Any] | None = None,
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the scores in the order of trial, or over the parameters.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or array of them, default=None
            Where to draw, one for each panel; None makes a new figure.
        kind : {"progress", "parameters"}, default="progress"
            "progress" draws each candidate's score and the best so far, in one panel;
            a flat end says that more candidates would hardly help. "parameters" draws
            the scores over the values of each parameter, a panel each.
        parameters : str or sequence of str, default=None
            Which parameters, by the names in the search. None draws those that vary.
        point_kw, line_kw : mapping, default=None
            Styles of the candidates and of the best so far, for
            `matplotlib.axes.Axes.plot`.

        Returns
        -------
        SearchDisplay
            The display itself, with `ax_`, `axes_`, `figure_`, `points_` and `lines_`.

        Raises
        ------
        ValueError
            If `kind` or a parameter is not known, or `ax` has another number of panels.
        ImportError
            If matplotlib is not installed.
        """
        if kind not in ("progress", "parameters"):
            message = f"kind must be 'progress' or 'parameters'. Got {kind!r} instead."
            raise ValueError(message)
        names = self._list_parameters(parameters) if kind == "parameters" else [""]
        self.axes_ = _make_axes(ax, len(names), "SearchDisplay.plot")
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.points_: list[Any] = []
        self.lines_: list[Any] = []
        style = {"marker": "o", "linestyle": "", "alpha": 0.6, **(point_kw or {})}
        if kind == "progress":
            self._draw_progress(style, {"color": "C1", **(line_kw or {})})
        else:
            for panel, name in zip(self.axes_, names, strict=True):
                self._draw_parameter(panel, name, style)
        for panel in self.axes_:
            panel.set_ylabel(self.score_name)
        return self

    def _draw_progress(
        self, point_style: Mapping[str, Any], line_style: Mapping[str, Any]
    ) -> None:
        scores = np.asarray(self.scores, float)
        numbers = np.arange(1, len(scores) + 1)
        iterations = np.zeros(len(scores))
        if self.iterations is not None:
            iterations = np.asarray(self.iterations)
        label = {"label": "candidates", **point_style}
        self.points_ += self.ax_.plot(numbers, scores, **label)
        for iteration in np.unique(iterations):
            here = iterations == iteration
            best = np.fmax.accumulate(scores[here])  # past failures
            first = {"label": "best so far"} if not self.lines_ else {}
            style = {"drawstyle": "steps-post", **first, **line_style}
            self.lines_ += self.ax_.plot(numbers[here], best, **style)
        self.ax_.set_xlabel("Candidate")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.legend()

    def _draw_parameter(self, panel: Any, name: str, style: Mapping[str, Any]) -> None:
        pairs = [
            (params[name], score)
            for params, score in zip(self.params, self.scores, strict=True)
            if name in params
        ]
        values, scores = [value for value, _ in pairs], [score for _, score in pairs]
        if all(_is_number(value) for value in values):
            places = np.asarray(values, float)
            if _are_logarithmic(places):
                panel.set_xscale("log")
        else:
            labels = list(dict.fromkeys(map(str, values)))
            places = np.array([labels.index(str(value)) for value in values], float)
            panel.set_xticks(range(len(labels)), labels)
            panel.set_xlim(-0.5, len(labels) - 0.5)
        self.points_ += panel.plot(places, scores, **style)
        panel.set_xlabel(name)

    def _list_parameters(self, parameters: str | Sequence[str] | None) -> list[str]:
        known = sorted({name for params in self.params for name in params})
        if parameters is None:
            varying = [name for name in known if self._varies(name)]
            return varying or known
        chosen = [parameters] if isinstance(parameters, str) else list(parameters)
        unknown = [name for name in chosen if name not in known]
        if unknown or not chosen:
            message = f"parameters must be among {known!r}. Got {chosen!r} instead."
            raise ValueError(message)
        return chosen

    def _varies(self, name: str) -> bool:
        return len({repr(params.get(name)) for params in self.params}) > 1


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number)
    return is_number and not isinstance(value, bool) and bool(np.isfinite(value))


def _are_logarithmic(values: NDArray[np.float64]) -> bool:
    """Tell whether values are spread more evenly on a log scale."""
    distinct = np.unique(values)
    low, middle, high = distinct[[0, len(distinct) // 2, -1]]
    if low <= 0 or high < _LOG_SPAN * low:
        return False
    even = abs((middle - low) / (high - low) - 0.5)
    even_on_log = abs(np.log(middle / low) / np.log(high / low) - 0.5)
    return bool(even_on_log < even) or len(distinct) == 2


def _make_axes(ax: Any, n_panels: int, caller: str) -> NDArray[Any]:
    """Return the axes to draw in, those given or those of a new figure."""
    pyplot = import_optional("matplotlib.pyplot", caller)
    if ax is None:
        width, height = _PANEL
        size = (width, height * max(n_panels, 1.5))
        _, axes = pyplot.subplots(
            n_panels, squeeze=False, figsize=size, layout="constrained"
        )
        return np.ravel(axes)
    axes = np.ravel(np.asarray(ax, object))
    if len(axes) != n_panels:
        message = f"ax must be {n_panels} Axes, one a panel. Got {len(axes)} instead."
        raise ValueError(message)
    return axes
