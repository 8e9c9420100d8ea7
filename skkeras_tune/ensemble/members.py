"""What the user calls members in; named estimators, not fitted, out."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skkeras_tune._compat.sklearn import check_method_params, safe_indexing
from skkeras_tune.ensemble.rows import Rows


def is_search(estimators: Any) -> bool:
    """Tell a search from a list of estimators.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(estimators, list | tuple):
        return False
    if all(hasattr(estimators, name) for name in ("fit", "estimator", "cv", "scoring")):
        return True
    message = (
        "estimators must be a list of estimators, or of (name, estimator) pairs, or a "
        f"search such as GridSearchCV. Got {estimators!r} instead."
    )
    raise TypeError(message)


def name_members(estimators: Sequence[Any]) -> dict[str, Any]:
    """Return the estimators of a list by their names.

    One without a name is called as its class is, in lower case, with a number where
    there are several.

    Raises
    ------
    ValueError
        If the list is empty, or a name is taken twice.
    """
    if not estimators:
        raise ValueError("estimators is empty: an ensemble needs at least one member.")
    pairs = [e if _is_pair(e) else (_class_name(e), e) for e in estimators]
    given = [e[0] for e in estimators if _is_pair(e)]
    if len(set(given)) < len(given):
        message = f"The names of the estimators must differ. Got {given!r}."
        raise ValueError(message)
    bare = [_class_name(e) for e in estimators if not _is_pair(e)]
    named: dict[str, Any] = {}
    for pair, source in zip(pairs, estimators, strict=True):
        name = pair[0]
        if not _is_pair(source) and (bare.count(name) > 1 or name in given):
            number = 1
            while f"{name}-{number}" in named or f"{name}-{number}" in given:
                number += 1
            name = f"{name}-{number}"
        named[name] = pair[1]
    return named


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], str)
    )


def _class_name(estimator: Any) -> str:
    return type(estimator).__name__.lower()


def validate_member(name: str, member: Any, *, classifies: bool) -> None:
    """Check that a member can be fitted, and predicts what the ensemble averages.

    Raises
    ------
    TypeError
        If it cannot.
    """
    kind = type(member).__name__
    problem = None
    if isinstance(member, type) or not hasattr(member, "fit"):
        problem = f"is no estimator: {member!r}"
    elif classifies and not hasattr(member, "predict_proba"):
        problem = (
            f"({kind}) has no predict_proba, which EnsembleClassifier averages. Take "
            "one that has, or wrap it in CalibratedClassifierCV"
        )
    elif not classifies and (is_classifier(member) or not hasattr(member, "predict")):
        problem = f"({kind}) is no regressor"
    if problem is not None:
        message = f"The member {name!r} {problem}."
        raise TypeError(message)


def fit_member(member: Any, rows: Rows, train: Any = None) -> Any:
    """Fit a copy of a member on some rows, or on all.

    Parameters
    ----------
    member : estimator
    rows : Rows
        All of them. Of arguments with one value a row, the member gets those of the
        rows that it is fitted on.
    train : ndarray of int, default=None
        Which rows it is fitted on; None takes all.
    """
    X, y = rows.X, rows.y
    params = {
        **(rows.fit_params or {}),
        **weight_arguments(member, rows.sample_weight),
        **group_arguments(member, rows.groups),
    }
    if train is not None:
        params = check_method_params(X, params, indices=train)
        X, y = safe_indexing(X, train), safe_indexing(y, train)
    return clone(member).fit(X, y, **params)


def list_final_params(given: Any, n_members: int) -> list[dict[str, Any]]:
    """Return the parameters of each member's last fit.

    Parameters
    ----------
    given : dict, list of dict or None
        Those of all members, or of each; of a list that is longer, the first count.
    n_members : int

    Raises
    ------
    ValueError
        If a list has fewer than there are members.
    """
    if not isinstance(given, list):
        return [given or {}] * n_members
    if len(given) < n_members:
        message = (
            f"final_params has parameters for {len(given)} members, and the ensemble "
            f"has {n_members}. Give a dict for each, or one dict for all."
        )
        raise ValueError(message)
    return given[:n_members]


def refuse_final_params(given: Any, estimators: Any) -> None:
    """Refuse parameters for the last fit that a member does not have.

    Parameters
    ----------
    given : dict, list of dict or None
        As for `list_final_params`.
    estimators : list of estimators, list of (str, estimator) pairs, or search
        A search may put other estimators in the place of a part, whose parameters are
        not known before.

    Raises
    ------
    ValueError
        With what the member says of it.
    """
    if not given:
        return
    if is_search(estimators):
        each = given if isinstance(given, list) else [given]
        pairs = [("estimator", estimators.estimator, params) for params in each]
        parts = tuple(f"{name}__" for name in _list_searched(estimators))
    else:
        named = name_members(estimators)
        each = list_final_params(given, len(named))
        pairs = list(zip(named, named.values(), each, strict=True))
        parts = ()
    for name, member, params in pairs:
        known = {n: v for n, v in params.items() if not n.startswith(parts)}
        _refuse_unknown(name, member, known)


def _list_searched(search: Any) -> set[str]:
    """Return the names of the parameters that a search varies, however it calls them.

    Spaces are dicts, lists of them, and pairs of one and a number of draws.
    """
    spaces = []
    for value in search.get_params(deep=False).values():
        items = value if isinstance(value, list | tuple) else [value]
        spaces += [i[0] if isinstance(i, tuple) and i else i for i in items]
    return {str(n) for space in spaces if isinstance(space, Mapping) for n in space}


def _refuse_unknown(name: str, member: Any, params: Mapping[str, Any]) -> None:
    if isinstance(member, type) or not hasattr(member, "set_params"):
        return  # no member, which is told elsewhere
    try:
        clone(member).set_params(**params)
    except (AttributeError, ValueError) as error:
        message = (
            f"The 'final_params' parameter holds {dict(params)!r}, which the member "
            f"{name!r} does not take: {error}"
        )
        raise ValueError(message) from error


def weight_arguments(member: Any, sample_weight: Any) -> dict[str, Any]:
    """Return the weights as an argument of a member's `fit`.

    A pipeline takes them for its last step, by the step's name. With metadata routing
    on, it gives them to the steps that ask for them, and a member that asks for none by
    ``set_fit_request(sample_weight=False)`` has none.

    Raises
    ------
    TypeError
        If the member takes no weights.
    """
    if sample_weight is None:
        return {}
    if get_config()["enable_metadata_routing"]:
        return _route_weight(member, sample_weight)
    prefix, step = "", member
    while isinstance(step, Pipeline):
        name, step = step.steps[-1]
        prefix += f"{name}__"
    inner = (
        getattr(step, "estimator", None)
        if hasattr(step, "cv") and hasattr(step, "estimator")
        else step
    )
    if not has_fit_parameter(inner, "sample_weight"):
        _refuse_weights(step)
    return {f"{prefix}sample_weight": sample_weight}


def group_arguments(member: Any, groups: Any) -> dict[str, Any]:
    """Return the groups as an argument of the `fit` of a member that asks for them.

    It does so by ``set_fit_request(groups=True)``, with metadata routing on.
    """
    if groups is None or not get_config()["enable_metadata_routing"]:
        return {}
    asked = get_routing_for_object(member).consumes("fit", ["groups"])
    return dict.fromkeys(asked, groups)


def _route_weight(member: Any, sample_weight: Any) -> dict[str, Any]:
    """Return the weights for a member that has not said that it wants none."""
    routing = get_routing_for_object(member)
    if isinstance(routing, MetadataRequest):
        requests = routing.fit.requests
        if "sample_weight" not in requests:
            _refuse_weights(member)
        if requests["sample_weight"] is False:
            return {}
    return {"sample_weight": sample_weight}


def _refuse_weights(step: Any) -> NoReturn:
    message = (
        f"{type(step).__name__} takes no sample_weight, so its ensemble takes none."
    )
    raise TypeError(message)
