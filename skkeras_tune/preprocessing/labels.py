"""Is a target classes or numbers? Labels in, class numbers with enough rows out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Whole numbers of more distinct values than this are counts, not classes.
MAX_WHOLE_CLASSES = 20


def has_classes(y: NDArray[Any]) -> bool:
    """Tell whether a column holds labels rather than numbers.

    Strings, booleans and other objects are labels. So are whole numbers of at most 20
    values, and floats that are two whole numbers, as missing values leave them.
    """
    if y.dtype.kind in "iu":
        return len(np.unique(y)) <= MAX_WHOLE_CLASSES
    if y.dtype.kind != "f":
        return y.dtype.kind != "c"
    known = y[~np.isnan(y)]
    values = np.unique(known)
    return len(values) <= 2 and bool((values == np.rint(values)).all())


def pool_rare(labels: Any, least: int) -> NDArray[np.int64]:
    """Return the number of each row's class, one for all that have too few rows.

    Stratified folds need as many rows of a class as there are folds. Where the rare
    ones are too few together, they share the number of the smallest other class.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
    least : int
        Rows that each number has, if there are as many at all.

    Returns
    -------
    ndarray of int of shape (n_samples,)
    """
    array = np.asarray(labels)
    if array.dtype.kind == "O":
        array = array.astype(str)
    _, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    codes = codes.reshape(-1).astype(np.int64)
    order = np.argsort(counts, kind="stable")
    pooled, n_pooled = [], 0
    for code in order:
        if counts[code] >= least and (n_pooled == 0 or n_pooled >= least):
            break
        pooled.append(code)
        n_pooled += counts[code]
    if pooled:
        codes[np.isin(codes, pooled)] = pooled[-1]
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)
