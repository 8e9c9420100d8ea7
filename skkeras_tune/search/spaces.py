"""A level in, what to search of the built-in network out, in a form a search takes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.stats import loguniform
from skopt.space import Categorical, Real

from skkeras_tune.preprocessing.task import Task, holds_labels
from skkeras_tune.search.choice import Choice, OrderedChoice

Level = Literal["small", "default", "large"]
Form = Literal["bayes", "random", "hyperband", "grid"]

_WIDTHS = (32, 64, 128, 256, 512)
#: Rows of a batch where nobody knows how many rows there are, and rows per row of one.
_BATCH_SIZE, _BATCHES = 64, 100
#: Penalties times rows. The first is next to none: without any, a network would need a
#: program of its own.
_PENALTIES = (0.05, 0.5, 2.0, 8.0)


@dataclass(frozen=True)
class _Range:
    """Any number between two, spread evenly over its logarithm."""

    low: float
    high: float


@dataclass(frozen=True)
class _Steps:
    """Values in an order."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class _Kinds:
    """Values without an order."""

    values: tuple[Any, ...]


_Dimension = _Range | _Steps | _Kinds

_LEVELS: dict[str, dict[str, _Dimension]] = {
    "small": {
        "n_hidden": _Steps((1, 2)),
        "units": _Steps((32, 64, 128)),
        "learning_rate": _Range(1e-3, 1e-2),
        "dropout": _Steps((0.0, 0.1, 0.2, 0.3)),
    },
    "default": {
        "n_hidden": _Steps((1, 2, 3, 4)),
        "units": _Steps(_WIDTHS),
        "activation": _Kinds(("relu", "silu")),
        "normalization": _Kinds((None, "batch")),
        "learning_rate": _Range(3e-4, 1e-2),
        "dropout": _Steps((0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        "optimizer__weight_decay": _Steps((0.0, 1e-4, 1e-3, 1e-2, 1e-1)),
        "loss__label_smoothing": _Steps((0.0, 0.1)),
    },
    "large": {
        "n_hidden": _Steps((1, 2, 3, 4)),
        "units": _Steps((*_WIDTHS, 1024)),
        "activation": _Kinds(("relu", "elu", "selu", "silu", "mish")),
        "normalization": _Kinds((None, "batch", "layer")),
        "wide": _Kinds((False, True)),
        "learning_rate": _Range(1e-4, 3e-2),
        "dropout": _Steps((0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)),
        "optimizer__weight_decay": _Steps((0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
        "loss__label_smoothing": _Steps((0.0, 0.05, 0.1)),
    },
}
_GRIDS: dict[str, dict[str, list[Any]]] = {
    "small": {
        "n_hidden": [1, 2],
        "units": [64, 128],
        "learning_rate": [1e-3, 5e-3],
    },
    "default": {
        "n_hidden": [1, 2, 3],
        "units": [64, 256],
        "learning_rate": [1e-3, 5e-3],
        "dropout": [0.0, 0.2],
    },
    "large": {
        "n_hidden": [1, 2, 3, 4],
        "units": [64, 128, 256, 512],
        "learning_rate": [3e-4, 1e-3, 3e-3, 1e-2],
        "dropout": [0.0, 0.2],
    },
}


def mlp_space(
    level: Level = "default",
    X: Any = None,
    y: Any = None,
    *,
    search: Form = "bayes",
    prefix: str = "",
    task: Task = "auto",
) -> dict[str, Any]:
    """Return a search space for the built-in network.

    Each level keeps to ranges that were published for networks on tables.

    ==================  ===============  ================  ====================
    parameter           "small"          "default"         "large"
    ==================  ===============  ================  ====================
    ``n_hidden``        1 or 2           1 to 4            1 to 4
    ``units``           32 to 128        32 to 512         32 to 1024
    ``activation``      not searched     relu, silu        also elu, selu, mish
    ``normalization``   not searched     off, batch        also layer
    ``wide``            not searched     not searched      off, on
    ``learning_rate``   1e-3 to 1e-2     3e-4 to 1e-2      1e-4 to 3e-2
    ``dropout``         off, 0.1 to 0.3  off, 0.1 to 0.5   off, 0.05 to 0.5
    ``l2``, times rows  0.05 to 8        0.05 to 8         0.05 to 8
    weight decay        not searched     off, up to 0.1    off, up to 0.1
    label smoothing     not searched     off, 0.1          off, 0.05, 0.1
    ``batch_size``      one size         one size          three sizes
    ==================  ===============  ================  ====================

    Widths, weight decays and batch sizes go up in steps of about equal ratio, so that
    candidates share programs. Activation, normalisation, depth, batch size and whether
    labels are smoothed ask for a program each, which takes a second to compile.

    Parameters
    ----------
    level : {"small", "default", "large"}, default="default"
        How much to search. A large space needs more candidates.
    X : array-like of shape (n_samples, n_features), default=None
        The training data, whose number of rows decides the penalties, and the batch
        sizes: about a hundredth of the rows, as a power of two from 32 to 512. None
        stands for 6,400 rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        The target, which tells whether there are labels to smooth.
    search : {"bayes", "random", "hyperband", "grid"}, default="bayes"
        Which search takes the space. "bayes" gives scikit-optimize's dimensions;
        "random" and "hyperband" lists and distributions of scipy; "grid" short lists of
        the parameters that matter most, with 8, 24 and 128 candidates.
    prefix : str, default=""
        What comes before each name, such as ``"network__"`` in a pipeline.
    task : {"auto", "classification", "regression"}, default="auto"
        What `y` is. Label smoothing is searched for classification only. "auto" decides
        as `tune` does: strings, booleans and whole numbers of at most 20 values are
        labels, and without `y` there are none.

    Returns
    -------
    dict of str to dimension, distribution or list
        A space for `BayesSearchCV`,
        :class:`~sklearn.model_selection.RandomizedSearchCV` or
        :class:`~sklearn.model_selection.GridSearchCV`.

    Raises
    ------
    ValueError
        If `level`, `search` or `task` is not one of these, or `y` is no target.

    See Also
    --------
    describe_space : A space in words.
    tune : The search in one line.

    Notes
    -----
    Weight decay is Keras's, apart from the loss (``optimizer__weight_decay``), and does
    little in a few hundred steps, which is all that a small table is trained for. There
    ``l2`` is what keeps a network simple: a penalty of ``p / n`` on the squared weights
    is a prior with a variance of ``1 / (2 * p)`` [6]_, whatever the number of rows
    ``n``. It is never quite off, since a network without any is another program.

    Where the ranges come from:

    - Gorishniy et al. [1]_ search 1 to 8 (at most 16) layers of 1 to 512 (at most 1024)
      units, dropout off or up to 0.5, learning rates from 1e-5 to 1e-2 and weight decay
      off or from 1e-6 to 1e-3. They take batches of 128 for California housing and of
      256 for adult.
    - Kadra et al. [2]_ search batch normalisation, weight decay from 1e-5 to 0.1 and
      dropout, with layers of 512 units.
    - AutoGluon's network [3]_ searches 1 to 5 layers of 8 to 256 units, relu or elu,
      batch normalisation, dropout up to 0.4 and learning rates from 1e-4 to 3e-2.
    - RealMLP [4]_ searches 1 to 5 layers of 64 to 512 units, relu, selu or mish,
      dropout of 0, 0.15 or 0.3, weight decay of 0 or 0.02 and label smoothing of 0 or
      0.1, with batches of 256.
    - auto-sklearn [5]_ searches penalties from 1e-7 to 0.1, which scikit-learn's
      network halves and divides by the rows of a batch.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting deep learning models
       for tabular data", NeurIPS 2021.
    .. [2] Kadra, Lindauer, Hutter and Grabocka, "Well-tuned simple nets excel on
       tabular datasets", NeurIPS 2021.
    .. [3] Salinas and Erickson, "TabRepo: a large scale repository of tabular model
       evaluations and its AutoML applications", AutoML 2024.
    .. [4] Holzmueller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned
       MLPs and boosted trees on tabular data", NeurIPS 2024.
    .. [5] Feurer, Eggensperger, Falkner, Lindauer and Hutter, "Auto-sklearn 2.0:
       hands-free AutoML via meta-learning", JMLR 2022.
    .. [6] MacKay, "A practical Bayesian framework for backpropagation networks", Neural
       Computation 1992.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from skkeras_tune import KerasClassifier, mlp_space
    >>> X, y = load_iris(return_X_y=True)
    >>> space = mlp_space("small", X, y, search="random")
    >>> space["units"], space["batch_size"]
    ([32, 64, 128], [32])
    >>> network = KerasClassifier(epochs=10, random_state=0)
    >>> search = RandomizedSearchCV(network, space, n_iter=2, cv=2, random_state=0)
    >>> bool(search.fit(X, y).best_score_ > 0.3)
    True
    """
    _validate_word("level", level, tuple(_LEVELS))
    _validate_word("search", search, tuple(_FORMS))
    _validate_word("task", task, get_args(Task))
    if search == "grid":
        grid = {name: list(values) for name, values in _GRIDS[level].items()}
        return _rename(grid, prefix)
    n_rows = None if X is None else _count_rows(X)
    chosen = {
        **_LEVELS[level],
        "l2": _Steps(tuple(list_penalties(n_rows))),
        "batch_size": _Steps(tuple(list_batch_sizes(level, n_rows))),
    }
    if not _classifies(y, task):
        chosen.pop("loss__label_smoothing", None)
    build = _FORMS[search]
    return _rename({name: build(value) for name, value in chosen.items()}, prefix)


def _validate_word(name: str, value: Any, words: tuple[str, ...]) -> None:
    if value not in words:
        shown = ", ".join(map(repr, sorted(words)))
        message = (
            f"The {name!r} parameter of mlp_space must be a str among {{{shown}}}. Got "
            f"{value!r} instead."
        )
        raise ValueError(message)


def choose_batch_size(n_rows: int | None) -> int:
    """Return about a hundredth of the rows, as a power of two from 32 to 512."""
    if n_rows is None:
        return _BATCH_SIZE
    return int(np.clip(2 ** round(math.log2(max(n_rows, 1) / _BATCHES)), 32, 512))


def list_batch_sizes(level: str, n_rows: int | None) -> list[int]:
    """Return the batch sizes that a level searches."""
    size = choose_batch_size(n_rows)
    return [size // 2, size, 2 * size] if level == "large" else [size]


def list_penalties(n_rows: int | None) -> list[float]:
    """Return the l2 penalties to search: the fewer the rows, the greater."""
    n_rows = max(n_rows or _BATCH_SIZE * _BATCHES, 1)
    return [float(f"{penalty / n_rows:.1g}") for penalty in _PENALTIES]


def _count_rows(X: Any) -> int:
    return int(X.shape[0] if hasattr(X, "shape") else len(X))


def _classifies(y: Any, task: Task) -> bool:
    """Tell whether smoothing makes sense, which it does of labels alone."""
    if task != "auto":
        return task == "classification"
    return y is not None and holds_labels(y)


def _rename(space: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in space.items()}


def _to_skopt(dimension: _Dimension) -> Real | Categorical:
    if isinstance(dimension, _Range):
        return Real(dimension.low, dimension.high, "log-uniform")
    if isinstance(dimension, _Steps) and len(dimension.values) > 1:
        return OrderedChoice(dimension.values)
    return Choice(dimension.values)


def _to_scipy(dimension: _Dimension) -> Any:
    if isinstance(dimension, _Range):
        return loguniform(dimension.low, dimension.high)
    return list(dimension.values)


_FORMS: dict[str, Callable[[_Dimension], Any]] = {
    "bayes": _to_skopt,
    "random": _to_scipy,
    "hyperband": _to_scipy,
    "grid": _to_scipy,
}
