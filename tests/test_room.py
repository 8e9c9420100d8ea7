"""Which program trains a group: its own, or one that there is and has room."""

from dataclasses import replace

import pytest
from keras.callbacks import EarlyStopping
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skkeras_tune import HyperbandSearchCV, KerasClassifier, KerasRegressor, fused
from skkeras_tune.training.groups import room
from skkeras_tune.training.groups.group import Group
from skkeras_tune.training.groups.room import choose_design, count_steps, list_rooms
from skkeras_tune.training.plan import StoppingRule
from skkeras_tune.training.programs import costs
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.design import join_designs
from tests.plans import DATA, DROPPING, PLAN, enrol
from tests.test_slots import assert_same, train_alone, train_group, vary_network


def widen(*units, **changes):
    """Return a plan of these hidden units."""
    return vary_network(hidden_units=units, **changes)


def list_widths(programs):
    """Return the hidden units of each program."""
    return [design.network.architecture.hidden_units for design in programs]


def train_pair(plan):
    """Train two members of a plan; each must end as it does alone."""
    plans = [replace(plan, seed=seed) for seed in range(2)]
    ended = train_group([enrol(plan, DATA) for plan in plans])
    for here, plan in zip(ended, plans, strict=True):
        assert_same(here, train_alone(plan, DATA))


@pytest.mark.parametrize(
    "plan",
    [
        widen(3),
        widen(3, l2=0.0),
        replace(widen(5), seed=9, epochs=2),
    ],
    ids=["narrower", "without penalty", "fewer epochs"],
)
def test_a_group_begins_in_a_program_that_has_room(plan, programs):
    """A wider network with penalties trains one that needs less, with its result."""
    wider = [widen(4, l2=0.1), widen(7, l2=0.1)]
    train_group([enrol(plan, DATA) for plan in wider])
    n_built = programs.n_built
    train_pair(plan)
    alone = [d for d in programs if d.layout.members == 1]
    assert programs.n_built == n_built + len(alone)


def test_dropout_is_switched_off_by_its_rate(programs):
    """A program with dropout trains members that have none."""
    plans = [
        replace(DROPPING, network=replace(DROPPING.network, dropout=rate))
        for rate in (0.5, 0.0)
    ]
    dropping, plain = (join_designs([enrol(p, DATA).design], 2, ()) for p in plans)
    assert list_rooms([dropping, plain], plain) == [dropping, plain]
    assert list_rooms([dropping, plain], dropping) == [dropping]


def test_what_a_program_lacks():
    """Too few units or places, another kind, or units that no mask covers."""

    def join(*plans, data=DATA):
        return join_designs([enrol(plan, data).design for plan in plans], 2, ())

    design = join(widen(5))
    assert list_rooms([design], design) == [design]
    assert not list_rooms([join(widen(4))], design)
    assert not list_rooms([join(widen(6))], design)
    assert list_rooms([join(widen(6), widen(4))], design)
    assert not list_rooms([join(widen(5))], join(widen(5), widen(4)))
    assert not list_rooms([join(widen(5, 5))], design)
    many = replace(design, layout=replace(design.layout, order=10**6))
    assert not list_rooms([many], design)
    assert not list_rooms([design], many)


def test_another_program_pays_where_much_would_be_in_vain(programs, monkeypatch):
    """Where compiling is cheap, a narrow group has a program of its own."""
    train_group([enrol(widen(units), DATA) for units in (30, 200)])
    monkeypatch.setattr(ProgramCache, "build_seconds", 0.0)
    train_group([enrol(widen(3), DATA) for _ in range(2)])
    assert list_widths(programs) == [(208,), (3,)]


def test_a_member_alone_has_its_own_program(programs):
    """It ends alike to the last bit, whatever was trained before."""
    train_group([enrol(widen(units), DATA) for units in (4, 7)])
    train_group([enrol(widen(4), DATA)])
    assert list_widths(programs) == [(8,), (4,)]


def test_the_lanes_of_a_group_share_a_program(programs):
    """Whichever begins first has chosen for all, and for those that come later."""
    members = [enrol(replace(PLAN, seed=seed), DATA) for seed in range(4)]
    shared = Group(members)
    shared.n_lanes = 2
    first = shared.choose_room(2, programs)
    assert first.layout.members == 2
    shared.take(2)
    assert shared.choose_room(2, programs) is first


@pytest.mark.parametrize(
    ("lengths", "n_slots", "n_steps"),
    [([5], 3, 5), ([4, 1, 1], 2, 4), ([3, 3, 3], 2, 6), ([2, 2, 2, 9], 1, 15)],
)
def test_members_take_the_slot_that_is_free_first(lengths, n_slots, n_steps):
    """Each begins where it can the soonest, in the order in which they come."""
    assert count_steps(lengths, n_slots) == n_steps


def choose(lengths, units=4, n_lanes=1, *, stops=False):
    """Return the slots of a new program for members of so many steps."""
    design = enrol(widen(units), DATA).design

    def join(n_slots):
        return join_designs([design], n_slots, design.layout.rows)

    return choose_design(join, lengths, n_lanes, 64, stops=stops).layout.members


def test_as_many_slots_as_are_busy_for_as_long_as_the_longest_takes():
    """Slots that would stand empty meanwhile compute in vain."""
    assert choose([100] * 6) == 6
    assert choose([100] * 6, n_lanes=2) == 3
    assert choose([81, *[9] * 9]) == 2
    assert choose([1000, 1, 1]) == 1


def test_more_slots_than_gain_anything_are_not_taken():
    """Steps of many wide networks take as long as more steps of fewer."""
    assert choose([100] * 64) > choose([100] * 64, units=500) > 16
    assert choose([100] * 6, units=500) == 6
    assert choose([100] * 6, units=50000) == 1


def test_who_trains_for_a_moment_waits_for_a_turn(monkeypatch):
    """A program of several slots takes longer to compile."""
    assert choose([100] * 6) == 6
    monkeypatch.setattr(room, "SEVERAL_SECONDS", costs.SEVERAL_SECONDS)
    assert choose([100] * 6) == 1
    assert choose([100_000] * 6) == 6


def test_slots_stand_empty_until_a_call_ends(monkeypatch):
    """So a few that may stop early take turns, where they would not otherwise."""
    for name in ("SEVERAL_SECONDS", "CALL_SECONDS"):
        monkeypatch.setattr(room, name, getattr(costs, name))
    assert [choose([7500] * 6, stops=stops) for stops in (False, True)] == [6, 1]
    assert choose([100_000] * 6, stops=True) == 6


def test_turns_in_one_slot_end_as_without_fused(iris, monkeypatch):
    """As a search of a few short fits that may stop runs it, outside of the tests."""
    for name in ("SEVERAL_SECONDS", "CALL_SECONDS"):
        monkeypatch.setattr(room, name, getattr(costs, name))
    model = KerasClassifier(epochs=20, patience=2, random_state=0, engine="compiled")
    search = GridSearchCV(model, {"learning_rate": [0.001, 0.1]}, cv=3, refit=False)
    expected = clone(search).fit(*iris).cv_results_["mean_test_score"]
    with fused() as fusion:
        scores = search.fit(*iris).cv_results_["mean_test_score"]
    assert scores == pytest.approx(expected)
    assert {n for g in fusion.report().groups for n in g.n_slots} == {1}


def stop_after(n_waited, **changes):
    """Return a plan that stops when so many epochs were no better."""
    rule = StoppingRule("val_loss", n_waited, 0.0, True)
    return replace(PLAN, epochs=100, stopping=rule, **changes)


def test_who_may_stop_early_is_expected_to():
    """Sooner with little patience, and the sooner the longer nothing was better."""
    unstopped = replace(PLAN, epochs=100, stopping=None)
    assert enrol(unstopped, DATA).expect_epochs() == 100
    assert enrol(stop_after(100), DATA).expect_epochs() == 100
    patient, hasty = (enrol(stop_after(n), DATA) for n in (50, 9))
    assert 50 < patient.expect_epochs() < 100
    assert 10 < hasty.expect_epochs() < 50
    assert 5 < hasty.expect_epochs(n_waited=5) < hasty.expect_epochs()


def test_a_callback_that_stops_early_counts_too():
    """Keras's own rule is as good a reason to expect an end."""
    callbacks = [EarlyStopping(monitor="loss", patience=9)]
    plan = replace(PLAN, epochs=100, stopping=None)
    member = enrol(plan, DATA, callbacks=callbacks)
    assert member.expect_epochs() == enrol(stop_after(9), DATA).expect_epochs()


def test_wide_networks_that_stop_at_different_times_train_in_few_slots(programs):
    """Others follow where one has stopped; many slots would stand empty at the end."""
    wide = replace(PLAN.network, hidden_units=(60, 60))
    plans = [stop_after(9, seed=seed, network=wide) for seed in range(6)]
    same = [replace(plan, stopping=None) for plan in plans]
    sizes = [
        Group([enrol(plan, DATA) for plan in group])
        .choose_room(6, programs)
        .layout.members
        for group in (plans, same)
    ]
    assert sizes == [2, 6]


def test_a_slow_machine_takes_longer_for_both(programs):
    """What compiling took is put beside estimates, which know no other load."""
    before = programs.build_seconds
    programs.record_training(4.0, 1.0)
    assert programs.build_seconds < before / 2
    assert programs.real_build_seconds == before
    for _ in range(9):
        programs.record_training(1.0, 1.0)
        programs.record_build(0.3)
    assert programs.build_seconds == pytest.approx(0.3, abs=0.01)


def test_a_short_call_says_nothing_of_steps(programs):
    """It takes longer than its steps, whatever the machine does."""
    before = programs.build_seconds
    programs.record_training(1.0, 1e-4)
    assert programs.build_seconds == before


# --- searches


def search_widths(data, widths):
    """Search widths, as a random search would draw them."""
    model = KerasRegressor(epochs=20, engine="compiled", random_state=0)
    grid = {"units": widths, "n_hidden": [1, 2]}
    with fused():
        return GridSearchCV(model, grid, cv=KFold(3), refit=False).fit(*data)


def test_a_search_over_widths_builds_a_program_a_depth(diabetes, programs):
    """Small networks of any width share it; other widths find it again."""
    search_widths(diabetes, [3, 17, 40, 61])
    assert sorted(map(len, list_widths(programs))) == [1, 2]
    search_widths(diabetes, [5, 20, 33])
    assert programs.n_built == 2


def test_the_rungs_of_hyperband_share_programs(diabetes, programs):
    """Fewer and fewer train longer and longer, in the programs of the first rung."""
    search = HyperbandSearchCV(
        KerasRegressor(random_state=0),
        {"units": [4, 8, 16], "learning_rate": loguniform(1e-3, 1e-1)},
        max_epochs=27,
        cv=3,
        random_state=0,
        refit=False,
    )
    with fused():
        search.fit(*diabetes)
    compiled = [design for design in programs if design.machine == "xla"]
    assert len(compiled) <= 2
    assert len(list(programs)) <= 3
