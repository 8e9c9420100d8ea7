"""Scores of candidates: a fitted search in, panels by trial or by parameter out."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.display.panels import make_axes
from skkeras_tune.search.results import find_search, read_results, resolve_metric

Kind = Literal["progress", "parameters"]

# A parameter whose values span less than this factor is drawn on a linear scale.
_LOG_SPAN = 10.0


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
            Any search with scikit-learn's ``cv_results_``, or an ensemble made of one.
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
        search = find_search(search)
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
        self.axes_ = make_axes(ax, len(names), "SearchDisplay.plot")
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
        if not known:
            message = "The search has no parameters to draw. Pass kind='progress'."
            raise ValueError(message)
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
