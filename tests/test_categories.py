"""Columns of categories become numbers, guided by the target or not."""

import numpy as np
import pytest

from skkeras_tune.preprocessing.categories import (
    build_one_hot,
    build_target_means,
    encode_target,
)

pandas = pytest.importorskip("pandas")

TABLE = pandas.DataFrame({"city": ["a", "b", "a", "b", "c", None] * 10})


def test_each_category_has_a_column():
    """Rare categories and new ones share a column; a missing one has its own."""
    rare = pandas.DataFrame({"city": [*TABLE["city"], "d", "e"]})
    encoder = build_one_hot(2).fit(rare)
    new = pandas.DataFrame({"city": ["a", "d", "new", None]})
    columns = encoder.transform(new).argmax(axis=1)
    assert encoder.transform(new).sum(axis=1).tolist() == [1, 1, 1, 1]
    assert columns[1] == columns[2]
    assert len(set(columns)) == 3


def test_only_the_most_frequent_have_a_column():
    """With a bound, the others are rare."""
    assert build_one_hot(1, 2).fit_transform(TABLE).shape == (60, 2)


@pytest.mark.parametrize("target", ["numbers", "two labels", "three labels"])
def test_a_category_becomes_its_mean_target(target):
    """Categories of other targets are told apart, one column for each class."""
    codes = pandas.factorize(TABLE["city"])[0]
    y = {
        "numbers": codes * 1.5,
        "two labels": codes == 0,
        "three labels": codes.clip(0, 2),
    }[target]
    encoder = build_target_means(encode_target(y), 0).fit(TABLE, encode_target(y))
    numbers = encoder.transform(TABLE.iloc[:2])
    assert numbers.shape == (2, 3 if target == "three labels" else 1)
    assert abs(numbers[0, 0] - numbers[1, 0]) > 0.5


def test_targets_for_the_encoder():
    """Labels are numbered, rare ones pooled, and several targets are none."""
    assert encode_target(None) is None
    assert encode_target(np.ones((3, 2))) is None
    assert encode_target(["a"] * 9) is None
    assert encode_target([[0.5], [1.5]]).tolist() == [0.5, 1.5]
    pooled = encode_target([*"a" * 9, *"b" * 9, *"cde"])
    assert len(np.unique(pooled)) == 2
