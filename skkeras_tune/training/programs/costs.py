"""What training takes, about: measured on two cores, for choosing between programs."""

import math
from collections.abc import Sequence

Shapes = Sequence[tuple[int, ...]]

#: Seconds of a step for each layer, forwards and back: of itself, for each member, and
#: for each row of a member's batch.
LAYER_SECONDS = 1.7e-6
MEMBER_LAYER_SECONDS = 0.26e-6
ROW_LAYER_SECONDS = 1.75e-8
#: Seconds of a step for each weight and row of a member's batch: of one member, and of
#: several at a time.
WEIGHT_ROW_SECONDS = 1.3e-10
SEVERAL_WEIGHT_ROW_SECONDS = 1.5e-10
#: Seconds that another program takes to trace and compile, until one has been measured.
PROGRAM_SECONDS = 0.5
#: Seconds that it takes longer to compile if it is to train several members at a time.
SEVERAL_SECONDS = 0.1
#: Seconds that a call of a program is meant to take, some milliseconds besides: between
#: calls others take the slots of those that have stopped.
CALL_SECONDS = 0.1
#: Seconds that compiling takes at least. A constant, so that the same training is run
#: by the same machine, and ends alike to the last bit, whenever it is repeated.
COMPILE_SECONDS = 0.2
#: How often a fit that is one of many alike is repeated, about: folds and candidates.
REPEATS = 15
#: Seconds of a step that NumPy runs: of itself, and for each member, each weight and
#: row, and each weight.
NUMPY_STEP_SECONDS = 60e-6
NUMPY_MEMBER_SECONDS = 8e-6
NUMPY_WEIGHT_ROW_SECONDS = 2e-10
NUMPY_WEIGHT_SECONDS = 1.5e-9


def expect_epochs(least: int, most: int, quantile: float = 0.5) -> float:
    """Return about how many epochs a training takes that may stop early.

    All lengths between the shortest and the longest are taken for equally likely, on a
    log scale. Of the 30 trainings of the benchmarks' random search, of up to 100 epochs
    with a patience of 10, the quartiles were 31 and 50 and the mean 44; here they are
    19, 58 and 40.
    """
    return float(least ** (1 - quantile) * most**quantile)


def estimate_step(n_members: int, shapes: Shapes, batch: int) -> float:
    """Return about how many seconds a step takes of networks with such weights.

    Fitted to 98 measurements of up to four hidden layers, one to 16 members and batches
    of 8 to 128 rows, within a factor of 1.4 (root mean square) and 2.7 at worst;
    ``python -m tests.benchmarks.steps`` prints some of them beside the estimates.
    """
    n_layers, n_weights = _count_layers(shapes), _count_weights(shapes)
    by_weight = WEIGHT_ROW_SECONDS if n_members == 1 else SEVERAL_WEIGHT_ROW_SECONDS
    by_row = ROW_LAYER_SECONDS * n_layers + by_weight * n_weights
    member = MEMBER_LAYER_SECONDS * n_layers + by_row * batch
    return LAYER_SECONDS * n_layers + n_members * member


def estimate_numpy_step(n_members: int, shapes: Shapes, batch: int) -> float:
    """Return about how many seconds a step takes that NumPy runs."""
    by_weight = NUMPY_WEIGHT_SECONDS + NUMPY_WEIGHT_ROW_SECONDS * batch
    return NUMPY_STEP_SECONDS + n_members * (
        NUMPY_MEMBER_SECONDS + _count_weights(shapes) * by_weight
    )


def _count_layers(shapes: Shapes) -> int:
    """Count the kernels: what stands beside them costs little."""
    return sum(len(shape) > 1 for shape in shapes)


def _count_weights(shapes: Shapes) -> int:
    return sum(map(math.prod, shapes))
