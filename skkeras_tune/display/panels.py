"""A number of panels in, matplotlib's axes out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkeras_tune.optional import import_optional

_PANEL = (6.4, 3.2)


def make_axes(ax: Any, n_panels: int, caller: str) -> NDArray[Any]:
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
