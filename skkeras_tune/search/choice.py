"""A dimension of a search space whose categories may be any Python objects.

Categories come in; a scikit-optimize dimension goes out.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from skopt.space import Categorical


class Choice(Categorical):
    """A categorical dimension over any Python objects.

    skopt hashes categories and packs them into NumPy arrays, which fails for lists and
    takes tuples apart. Its encoders see only positions here.

    Parameters
    ----------
    categories : iterable
        The objects to choose from. NumPy's scalars become Python's.
    prior : list of float, default=None
        Probability of each category; None makes them equal.
    transform : str, default=None
        The encoding that the surrogate sees, by skopt's name; None for one-hot.
    name : str, default=None
        Name of the dimension.

    Examples
    --------
    >>> from skkeras_tune.search.choice import Choice
    >>> sizes = Choice([(64,), (128, 64), None])
    >>> sizes.rvs(3, random_state=0)
    [(128, 64), None, (128, 64)]
    >>> sizes.find_positions([None, (64,)])
    [2, 0]
    """

    def __init__(
        self,
        categories: Iterable[Any],
        prior: Sequence[float] | None = None,
        transform: str | None = None,
        name: str | None = None,
    ) -> None:
        values = [v.item() if isinstance(v, np.generic) else v for v in categories]
        self._positions = Categorical(range(len(values)), prior)
        super().__init__(values, prior, transform, name)

    def set_transformer(self, transform: str = "onehot") -> None:
        self.transform_ = transform
        self._positions.set_transformer(transform)

    def find_positions(self, values: Iterable[Any]) -> list[int]:
        """Return the position of each value among the categories."""
        # Identity first: 1, 1.0 and True are equal, and may be distinct categories.
        known = {id(value): i for i, value in enumerate(self.categories)}
        find = self.categories.index
        return [known[id(v)] if id(v) in known else find(v) for v in values]

    def transform(self, X: Iterable[Any]) -> Any:
        return self._positions.transform(self.find_positions(X))

    def inverse_transform(self, Xt: Any) -> list[Any]:  # noqa: N803  skopt's name
        return [self.categories[int(i)] for i in self._positions.inverse_transform(Xt)]

    def rvs(self, n_samples: int | None = None, random_state: Any = None) -> Any:
        drawn = self._positions.rvs(n_samples, random_state)
        values = [self.categories[int(i)] for i in np.atleast_1d(drawn)]
        return values[0] if n_samples is None else values

    def distance(self, a: Any, b: Any) -> int:
        first, second = self.find_positions([a, b])
        return int(first != second)


class OrderedChoice(Choice):
    """Categories in an order, whose neighbours the surrogate takes to be alike.

    It sees each by its place, from 0 for the first to 1 for the last. Good for steps
    of a scale, such as ``[0.0, 0.1, 0.2]`` or ``[32, 64, 128]``.

    Parameters
    ----------
    categories : iterable
        The objects to choose from, at least two.
    prior : list of float, default=None
        Probability of each category; None makes them equal.
    transform : str, default=None
        Not heeded: skopt asks for others.
    name : str, default=None
        Name of the dimension.

    Examples
    --------
    >>> from skkeras_tune.search.choice import OrderedChoice
    >>> units = OrderedChoice([32, 64, 128])
    >>> units.transform([32, 64, 128])
    array([0. , 0.5, 1. ])
    >>> units.inverse_transform([0.7])
    [64]
    """

    def set_transformer(self, transform: str = "normalize") -> None:
        self.transform_ = "normalize"

    def transform(self, X: Iterable[Any]) -> Any:
        return np.asarray(self.find_positions(X)) / (len(self.categories) - 1)

    def inverse_transform(self, Xt: Any) -> list[Any]:  # noqa: N803  skopt's name
        last = len(self.categories) - 1
        places = np.clip(np.rint(np.ravel(Xt).astype(float) * last), 0, last)
        return [self.categories[int(place)] for place in places]

    def rvs(self, n_samples: int | None = None, random_state: Any = None) -> Any:
        generator = check_random_state(random_state)
        places = generator.choice(len(self.categories), n_samples or 1, p=self.prior_)
        values = [self.categories[int(place)] for place in places]
        return values[0] if n_samples is None else values

    @property
    def transformed_size(self) -> int:
        return 1

    @property
    def transformed_bounds(self) -> tuple[float, float]:
        return 0.0, 1.0
