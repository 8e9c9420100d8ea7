"""How the models that a search has found are trained in the end, on all rows.

What the caller of `tune` wants comes in; parameters for the networks go out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from skkeras_tune.nesting import list_networks
from skkeras_tune.randomness import derive_seed
from skkeras_tune.tuning.assembly import FEW_ROWS
from skkeras_tune.tuning.searches import find_space_parameter

# How one network turns out on few rows is luck for the most part. The members of an
# ensemble average one another already.
_ALONE, _IN_COMPANY = 4, 2


@dataclass(frozen=True)
class LastFit:
    """How networks train when the search is over.

    Attributes
    ----------
    refit_full : bool or float
    n_members : int or None
        None leaves what they have.
    seed : int or None
        From which the members of an ensemble get theirs; None leaves what they have.
    """

    refit_full: bool | float
    n_members: int | None
    seed: int | None

    def list_params(self, model: Any, place: int = 0) -> dict[str, Any]:
        """Return the parameters of a model's networks, for its place in an ensemble."""
        params: dict[str, Any] = {}
        if self.refit_full:
            params["refit_full"] = self.refit_full
        if self.n_members is not None:
            params["n_members"] = self.n_members
        if self.seed is not None and place:
            # With one seed, all would hold out the same rows, and stop too early or too
            # late together.
            params["random_state"] = derive_seed(self.seed, "candidate", place)
        return {
            f"{prefix}{name}": value
            for prefix in list_networks(model)
            for name, value in params.items()
        }

    def list_member_params(self, model: Any, n_models: int) -> list[dict[str, Any]]:
        """Return the parameters of each member of an ensemble, the best first."""
        return [self.list_params(model, place) for place in range(n_models)]


def plan_last_fit(
    search: Any,
    refit_full: bool | float,
    n_members: int | Literal["auto"],
    *,
    n_rows: int,
    n_models: int,
    seed: int | None,
    built: bool,
) -> LastFit:
    """Return what the last fit sets; of an estimator of the user's, what was asked.

    Parameters
    ----------
    search : search
        What it searches may be the number of networks itself.
    refit_full, n_members
        As for `tune`.
    n_rows : int
    n_models : int
        1 is the winner alone.
    seed : int or None
    built : bool
        Whether the estimator was built here.
    """
    if not built:
        return LastFit(refit_full, None if n_members == "auto" else n_members, None)
    found = find_space_parameter(search)
    space = None if found is None else search.get_params(deep=False)[found[0]]
    resolved = resolve_members(n_members, n_rows, n_models, space)
    return LastFit(refit_full, resolved, seed)


def resolve_members(
    n_members: int | Literal["auto"], n_rows: int, n_models: int, space: Any
) -> int | None:
    """Return how many networks each model averages; None leaves what it has.

    Parameters
    ----------
    n_members : int or "auto"
    n_rows : int
    n_models : int
        1 is the winner alone.
    space : dict, list or None
        What is searched, which may be the number of networks itself.
    """
    if n_members != "auto":
        return int(n_members)
    if _searches_members(space):
        return None
    if n_rows >= FEW_ROWS:
        return 1
    return _ALONE if n_models == 1 else _IN_COMPANY


def _searches_members(space: Any) -> bool:
    parts = space if isinstance(space, list) else [space]
    parts = [part[0] if isinstance(part, tuple) else part for part in parts]
    names = [name for part in parts if isinstance(part, Mapping) for name in part]
    return any(name.rpartition("__")[2] == "n_members" for name in names)
