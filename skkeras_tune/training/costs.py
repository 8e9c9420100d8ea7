"""What training takes, about: measured on two cores, for choosing between programs."""

#: Seconds of a step, whatever it computes.
STEP_SECONDS = 5e-6
#: Seconds of a step for each member, whatever its network.
MEMBER_SECONDS = 1e-6
#: Seconds of a step for each weight and row of the batch, forwards and back.
WEIGHT_ROW_SECONDS = 6e-11
#: Seconds that another program takes to trace and compile, until one has been measured.
PROGRAM_SECONDS = 0.5
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


def estimate_member(n_weights: int, batch: int) -> float:
    """Return about how many seconds a member adds to a step."""
    return MEMBER_SECONDS + WEIGHT_ROW_SECONDS * n_weights * batch


def estimate_step(n_members: int, n_weights: int, batch: int) -> float:
    """Return about how many seconds a step takes."""
    return STEP_SECONDS + n_members * estimate_member(n_weights, batch)


def estimate_numpy_step(n_members: int, n_weights: int, batch: int) -> float:
    """Return about how many seconds a step takes that NumPy runs."""
    by_weight = NUMPY_WEIGHT_SECONDS + NUMPY_WEIGHT_ROW_SECONDS * batch
    return NUMPY_STEP_SECONDS + n_members * (
        NUMPY_MEMBER_SECONDS + n_weights * by_weight
    )
