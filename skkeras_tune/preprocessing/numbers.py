"""Columns of numbers in, numbers of the size that networks like out."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

# Numbers far out approach this many scales.
_LIMIT = 3.0
# Numbers further out are as far out as these.
_FAR = 1e150


class SmoothScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale by the quartiles, and draw outliers in without cutting them off.

    Each column loses its median, is divided by the distance of its quartiles, and goes
    through ``x / sqrt(1 + (x / 3)**2)``, which keeps the middle as it is and ends at 3.
    A column whose quartiles are equal is divided by half of its range, and a constant
    one becomes zero. Missing values stay missing.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,)
        The medians.
    scale_ : ndarray of shape (n_features,)
        What each column is multiplied with.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has names.

    Notes
    -----
    This is the scaling of RealMLP [1]_.

    References
    ----------
    .. [1] Holzmueller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned
       MLPs and boosted trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> from skkeras_tune.preprocessing.numbers import SmoothScaler
    >>> SmoothScaler().fit_transform([[0.0], [1.0], [2.0], [3.0], [1e9]]).round(2)
    array([[-0.95],
           [-0.49],
           [ 0.  ],
           [ 0.49],
           [ 3.  ]])
    """

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the medians and quartiles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        """
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        empty = np.isnan(X).all(axis=0)
        filled = np.where(empty, 0.0, X)
        low, q1, self.center_, q3, high = np.nanpercentile(
            filled, [0, 25, 50, 75, 100], axis=0
        )
        distance = np.where(q3 > q1, q3 - q1, (high - low) / 2)
        # A distance too small for its inverse is none.
        is_flat = distance < np.finfo(np.float64).tiny * 4
        self.scale_ = np.where(is_flat, 0.0, 1 / np.where(is_flat, 1.0, distance))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scale, and draw in.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
        )
        with np.errstate(over="ignore"):  # which is far out
            scaled = (X - self.center_) * self.scale_
        scaled = np.clip(scaled, -_FAR, _FAR)
        drawn: NDArray[np.float64] = scaled / np.hypot(1.0, scaled / _LIMIT)
        return drawn

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
