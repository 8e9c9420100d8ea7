"""Distributions of parameters in, candidates for each bracket out."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterSampler

Candidate = dict[str, Any]

_MAX_ROUNDS = 10


def draw_candidates(
    distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    sizes: Sequence[int],
    random_state: np.random.RandomState,
) -> list[list[Candidate]]:
    """Draw candidates for each bracket, none of them twice if the space has enough.

    In a smaller space brackets share candidates, but none has one twice.

    Parameters
    ----------
    distributions : dict or list of dict
        As for `sklearn.model_selection.RandomizedSearchCV`.
    sizes : sequence of int
        How many candidates each bracket asks for.
    random_state : RandomState

    Returns
    -------
    list of list of dict
    """
    n_wanted = sum(sizes)
    distinct = _draw_distinct(distributions, n_wanted, random_state)
    if len(distinct) < n_wanted:
        warnings.warn(
            f"The search space holds only {len(distinct)} of the {n_wanted} candidates "
            "that the brackets ask for, so that some stand in several brackets. Lower "
            "max_epochs, raise factor, or widen the space.",
            UserWarning,
            stacklevel=5,  # the caller of fit, which is decorated
        )
    unused, brackets = distinct, []
    for size in sizes:
        taken, unused = unused[:size], unused[size:]
        if len(taken) < size:
            held = {id(candidate) for candidate in taken}
            others = [c for c in distinct if id(c) not in held]
            chosen = random_state.permutation(len(others))[: size - len(taken)]
            taken = taken + [others[i] for i in chosen]
        brackets.append(taken)
    return brackets


def _draw_distinct(
    distributions: Any, n_wanted: int, random_state: np.random.RandomState
) -> list[Candidate]:
    """Draw different candidates; give up when some rounds bring no new one."""
    found: dict[str, Candidate] = {}
    n_rounds = 0
    while len(found) < n_wanted and n_rounds < _MAX_ROUNDS:
        # A grid, whose length bounds this, is drawn from without replacement.
        n_draws = len(ParameterSampler(distributions, n_wanted))
        sampler = ParameterSampler(distributions, n_draws, random_state=random_state)
        before = len(found)
        for candidate in sampler:
            found.setdefault(_describe(candidate), candidate)
        if n_draws < n_wanted:
            break
        n_rounds = 0 if len(found) > before else n_rounds + 1
    return list(found.values())[:n_wanted]


def _describe(candidate: Candidate) -> str:
    return repr(sorted(candidate.items(), key=lambda item: item[0]))
