"""The held-out split: shuffled, stratified, whole groups, a function of the seed."""

import numpy as np
import pytest

from skkeras_tune.training.holdout import hold_out


def build_labels(*counts):
    """Return sorted labels with this many rows of each class."""
    return np.repeat(np.arange(len(counts)), counts)


def count_classes(labels, rows, n_classes):
    """Return the number of rows of each class."""
    return np.bincount(labels[rows], minlength=n_classes)


LABELS = build_labels(60, 30, 10)
SORTED_GROUPS = np.repeat(np.arange(20), 5)
CASES = {
    "rows": {},
    "labels": {"labels": LABELS},
    "groups": {"groups": SORTED_GROUPS},
    "labels and groups": {"labels": LABELS, "groups": np.arange(100) % 20},
}


@pytest.mark.parametrize("case", CASES)
def test_each_row_has_one_role(case):
    """Every row is trained on or held out; both lists are sorted row numbers."""
    train, held = hold_out(100, 0.2, 0, **CASES[case])
    np.testing.assert_array_equal(np.sort(np.r_[train, held]), np.arange(100))
    for rows in (train, held):
        assert rows.dtype.kind == "i"
        assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_split(case):
    """The split is a function of its arguments."""
    first, second = (hold_out(100, 0.2, 3, **CASES[case]) for _ in range(2))
    for here, there in zip(first, second, strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("case", CASES)
def test_other_seeds_give_other_splits(case):
    """Seeds differ in what they hold out."""
    splits = {tuple(hold_out(100, 0.2, seed, **CASES[case])[1]) for seed in range(10)}
    assert len(splits) == 10


@pytest.mark.parametrize("case", CASES)
def test_the_split_is_shuffled(case):
    """Each row is held out about as often as another, wherever it stands."""
    counts = np.zeros(100)
    for seed in range(300):
        counts[hold_out(100, 0.2, seed, **CASES[case])[1]] += 1
    # 60 of 300 are expected, with a standard deviation of about 7
    assert counts.min() > 25
    assert counts.max() < 100


@pytest.mark.parametrize("case", CASES)
def test_the_share_is_the_fraction(case):
    """The share asked for is held out, when groups are of one size."""
    _, held = hold_out(100, 0.2, 0, **CASES[case])
    assert len(held) == 20


@pytest.mark.parametrize(
    ("n_rows", "fraction", "expected"), [(10, 0.11, 2), (10, 0.1, 1), (3, 0.5, 2)]
)
def test_the_share_is_rounded_up(n_rows, fraction, expected):
    """A share that is no whole number of rows is rounded up, as in scikit-learn."""
    _, held = hold_out(n_rows, fraction, 0)
    assert len(held) == expected


@pytest.mark.parametrize(
    ("labels", "fraction"),
    [
        (LABELS, 0.1),
        (LABELS, 0.33),
        (LABELS, 0.9),
        (build_labels(50, 50), 0.03),
        (build_labels(97, 2, 1), 0.5),
        (build_labels(7, 7, 7, 7), 0.25),
    ],
)
def test_classes_are_held_out_in_proportion(labels, fraction):
    """Each class has its share, to one row, and as many are held out as asked."""
    n_rows, n_classes = len(labels), labels.max() + 1
    for seed in range(20):
        _, held = hold_out(n_rows, fraction, seed, labels=labels)
        assert len(held) == np.ceil(fraction * n_rows)
        shares = len(held) * np.bincount(labels) / n_rows
        counts = count_classes(labels, held, n_classes)
        assert (np.abs(counts - shares) < 1 + 1e-9).all()


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.9])
def test_no_class_is_emptied(fraction):
    """Each class keeps a training row, however much is held out."""
    labels = build_labels(90, 5, 3, 1, 1)
    for seed in range(20):
        train, _ = hold_out(100, fraction, seed, labels=labels)
        assert (count_classes(labels, train, 5) >= 1).all()


def test_a_row_for_each_class_where_there_are_enough():
    """Balanced classes are all held out, also when each has a single held-out row."""
    labels = build_labels(10, 10, 10, 10, 10)
    for seed in range(20):
        _, held = hold_out(50, 0.1, seed, labels=labels)
        assert count_classes(labels, held, 5).tolist() == [1] * 5


def test_ties_are_broken_at_random():
    """Of equal classes none is held out more often than the others."""
    labels, totals = build_labels(5, 5, 5), np.zeros(3)
    for seed in range(300):
        totals += count_classes(labels, hold_out(15, 0.25, seed, labels=labels)[1], 3)
    assert totals.sum() == 300 * 4
    assert np.abs(totals - 400).max() < 50


@pytest.mark.parametrize("case", ["groups", "labels and groups"])
def test_groups_stay_together(case):
    """No group has rows in both roles."""
    groups = CASES[case]["groups"]
    for seed in range(20):
        train, held = hold_out(100, 0.2, seed, **CASES[case])
        assert not set(groups[train]) & set(groups[held])


def test_groups_may_have_any_names():
    """Groups are told apart by value, whatever their type."""
    named = np.array([f"patient {group}" for group in SORTED_GROUPS])
    _, held = hold_out(100, 0.2, 0, groups=named)
    _, expected = hold_out(100, 0.2, 0, groups=SORTED_GROUPS)
    assert len(held) == len(expected) == 20


def test_of_splits_by_group_a_stratified_one_is_taken():
    """With groups, too, classes are held out about in proportion."""
    generator = np.random.default_rng(0)
    groups = generator.integers(40, size=400)
    labels = (generator.random(400) < 0.2 + 0.6 * (groups % 2)).astype(int)
    overall = labels.mean()
    away = {"stratified": [], "plain": []}
    for seed in range(20):
        _, held = hold_out(400, 0.2, seed, labels=labels, groups=groups)
        away["stratified"].append(abs(labels[held].mean() - overall))
        _, held = hold_out(400, 0.2, seed, groups=groups)
        away["plain"].append(abs(labels[held].mean() - overall))
    assert np.mean(away["stratified"]) < np.mean(away["plain"]) / 2


def test_groups_do_not_empty_a_class():
    """The group that alone has a class is trained on."""
    groups = np.repeat(np.arange(5), 10)
    labels = (groups == 3).astype(int)
    for seed in range(20):
        train, _ = hold_out(50, 0.4, seed, labels=labels, groups=groups)
        assert set(labels[train]) == {0, 1}


@pytest.mark.parametrize(
    ("n_rows", "fraction", "options"),
    [
        (1, 0.1, {}),
        (2, 0.6, {}),
        (0, 0.1, {}),
        (20, 0.1, {"labels": build_labels(10, 5, 5)}),
        (5, 0.6, {"labels": build_labels(2, 2, 1)}),
        (4, 0.9, {"labels": build_labels(2, 2)}),
        (10, 0.2, {"groups": np.zeros(10)}),
        (10, 0.6, {"groups": np.arange(10) % 2}),
        (20, 0.3, {"groups": np.arange(20) % 4, "labels": np.arange(20) % 4}),
    ],
    ids=[
        "one row",
        "all rows held out",
        "no rows",
        "fewer held-out rows than classes",
        "fewer training rows than classes",
        "no training row of a class",
        "one group",
        "all groups held out",
        "each class in one group",
    ],
)
def test_too_few_rows_give_no_split(n_rows, fraction, options):
    """Where rows or groups do not suffice there is no split, and no error."""
    assert all(hold_out(n_rows, fraction, s, **options) is None for s in range(20))


@pytest.mark.parametrize(
    ("n_rows", "fraction", "options"),
    [
        (2, 0.1, {}),
        (30, 0.1, {"labels": build_labels(10, 10, 10)}),
        (6, 0.5, {"labels": build_labels(4, 1, 1)}),
        (4, 0.5, {"groups": np.arange(4) % 2}),
    ],
)
def test_just_enough_rows_give_a_split(n_rows, fraction, options):
    """At the limit there is a split, with rows in both roles."""
    for seed in range(20):
        train, held = hold_out(n_rows, fraction, seed, **options)
        assert len(train)
        assert len(held)


def test_arguments_are_left_alone():
    """Labels and groups are not written to."""
    labels, groups = LABELS.copy(), SORTED_GROUPS.copy()
    labels.flags.writeable = groups.flags.writeable = False
    hold_out(100, 0.2, 0, labels=labels)
    hold_out(100, 0.2, 0, groups=groups)
    hold_out(100, 0.2, 0, labels=LABELS % 2, groups=groups)
