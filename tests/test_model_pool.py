"""Idle models wait by key, and the least recently used one leaves first."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from skkeras_tune.training.models.pool import ModelPool


def test_an_empty_pool_has_no_model():
    """There is no model where none was given back."""
    assert ModelPool().take("key") is None


def test_a_model_comes_back_by_its_key():
    """A model is found again by an equal key, and by no other."""
    pool, model = ModelPool(), object()
    pool.give_back(("a", 1), model)
    assert pool.take(("a", 2)) is None
    assert pool.take(("a", 1)) is model


def test_a_model_is_taken_once():
    """A model that was taken is nobody else's until it is given back."""
    pool, model = ModelPool(), object()
    pool.give_back("key", model)
    assert pool.take("key") is model
    assert pool.take("key") is None
    pool.give_back("key", model)
    assert pool.take("key") is model


def test_a_key_may_have_several_models():
    """Models of one key that were used at the same time all wait."""
    pool, models = ModelPool(), [object(), object()]
    for model in models:
        pool.give_back("key", model)
    assert {pool.take("key"), pool.take("key")} == set(models)
    assert pool.take("key") is None


def give_all(pool, *names):
    """Give back one model for each name; return what each one told."""
    return [pool.give_back(name, name) for name in names]


def test_the_pool_is_bounded():
    """One model more than the capacity sends another one away, and says so."""
    pool = ModelPool(capacity=2)
    assert give_all(pool, "a", "b", "c") == [False, False, True]
    assert [pool.take(name) for name in "abc"] == [None, "b", "c"]


def test_the_least_recently_used_leaves():
    """Using a model keeps it longer than those that were not used."""
    pool = ModelPool(capacity=2)
    give_all(pool, "a", "b")
    pool.give_back("a", pool.take("a"))
    give_all(pool, "c")
    assert [pool.take(name) for name in "abc"] == ["a", None, "c"]


def test_a_model_that_is_out_does_not_count():
    """Only idle models count towards the capacity."""
    pool = ModelPool(capacity=2)
    give_all(pool, "a", "b")
    model = pool.take("a")
    assert give_all(pool, "c") == [False]
    assert pool.give_back("a", model) is True


def test_models_of_one_key_leave_one_by_one():
    """A key with many models does not push out more than one at a time."""
    pool = ModelPool(capacity=3)
    assert give_all(pool, "a", "a", "b", "c") == [False, False, False, True]
    assert [pool.take(name) for name in "aabc"] == ["a", None, "b", "c"]


@pytest.mark.parametrize("capacity", [1, 3])
def test_nothing_is_kept_beyond_the_capacity(capacity):
    """However many models come, no more than the capacity wait."""
    pool = ModelPool(capacity=capacity)
    for index in range(20):
        pool.give_back(index % 7, index)
    waiting = [pool.take(key) for key in range(7) for _ in range(20)]
    assert len([model for model in waiting if model is not None]) == capacity


def test_threads_never_share_a_model():
    """A model is with one thread at a time."""
    pool, in_use = ModelPool(capacity=4), set()

    def use(index):
        model = pool.take("key") or f"model {index}"
        assert model not in in_use
        in_use.add(model)
        in_use.remove(model)
        pool.give_back("key", model)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(500)))
