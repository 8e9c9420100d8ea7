"""Imports go one way, from the estimators down to the helpers."""

import ast
from collections.abc import Iterator
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "skkeras_tune"
ROOT = Path(__file__).parents[1] / PACKAGE

# Highest first. A module imports only from groups below its own. A new module fails
# `test_every_module_has_a_layer` until it is given its place here.
LAYERS = (
    {""},  # the root: the public names
    {"tuning.tune"},
    {"tuning.arguments", "tuning.fitting"},
    {"tuning.last_fit"},
    {"tuning.searches"},
    {"tuning.assembly", "tuning.scoring"},
    {"learning_rate", "tuning.regressor"},
    {
        "display",
        "ensemble.estimators",
        "estimators",
        "fusion",
        "search.bayes",
        "search.hyperband",
    },
    {
        "display.history",
        "display.search",
        "ensemble.base",
        "estimators.classifier",
        "estimators.regressor",
        "fusion.context",
    },
    {"fusion.backend"},
    {"fusion.coordinator"},
    {"fusion.sender"},
    {"fusion.backlog", "fusion.dispatch", "fusion.lanes", "fusion.parcel"},
    {
        "fusion.memory",
        "fusion.report",
        "fusion.request",
        "fusion.threads",
        "fusion.workers",
    },
    {"ensemble.gathering", "ensemble.report"},
    {"ensemble.objective", "ensemble.out_of_fold"},
    {"ensemble.members"},
    {"ensemble.rows"},
    {"ensemble.targets", "ensemble.weights"},
    {
        "estimators.base",
        "search.dimensions",
        "search.draws",
        "search.rungs",
        "search.timed",
        "tuning.folds",
    },
    {"search.contest", "search.failures", "search.stages", "tuning.features"},
    {
        "preprocessing.table",
        "search.describe",
        "search.resource",
        "search.spaces",
        "search.tasks",
    },
    {"search.proposals", "search.recording", "search.results", "tuning.target"},
    {
        "estimators.fitted",
        "estimators.fitting",
        "search.choice",
        "search.distributions",
        "search.epochs",
    },
    {"estimators.members", "estimators.parameter_names", "estimators.planning"},
    {
        "preprocessing.categories",
        "preprocessing.task",
        "preprocessing.columns",
        "search.budget",
        "search.seeds",
    },
    {"preprocessing.kinds"},
    {"preprocessing.dates"},
    {"preprocessing.day_order"},
    {
        "preprocessing.labels",
        "preprocessing.numbers",
        "preprocessing.readings",
        "preprocessing.words",
    },
    {"estimators.class_weights"},
    {
        "estimators.model_function",
        "estimators.parameters",
        "estimators.rows",
        "estimators.targets",
        "estimators.trained_model",
    },
    {"estimators.compilation"},
    {"estimators.metrics"},
    {"ensemble", "preprocessing", "search", "training", "tuning"},
    {"training.recall"},
    {"training.engine"},
    {"training.members.model_member", "training.trainer"},
    {"training.groups.rescue"},
    {"training.groups.slots"},
    {"training.groups.timed_program"},
    {"training.groups.group"},
    {"training.groups.orders", "training.groups.pooling", "training.groups.room"},
    {"training.members.member", "training.members.model_design"},
    {
        "training.groups.tensors",
        "training.keras_loop",
        "training.members.final_state",
        "training.members.initial_state",
    },
    {
        "training.members.callback_replay",
        "training.members.compiled_plan",
        "training.members.member_state",
        "training.members.progress",
    },
    {"training.programs.numpy_program", "training.programs.stablehlo_program"},
    {"training.programs.formula_program"},
    {"training.programs.mlp_program", "training.programs.model_program"},
    {"training.programs.program"},
    {"training.programs.design"},
    {
        "training.programs.cache",
        "training.programs.callback_rules",
        "training.programs.store",
    },
    {"training.models.model", "training.programs.costs"},
    {
        "training.models.judge",
        "training.models.key",
        "training.models.pool",
        "training.models.targets",
    },
    {
        "training.mlp.objective",
        "training.mlp.stacked_mlp",
        "training.models.nested",
        "training.optimizers.state",
        "training.optimizers.updates",
        "training.pausing",
        "training.result_store",
    },
    {"training.mlp.layers", "training.optimizers.rule"},
    {"training.mlp.activations", "training.mlp.direct_losses"},
    {"training.optimizers.formulas"},
    {"training.arithmetic.packing", "training.arithmetic.primitives"},
    {"training.arithmetic.arrays"},
    {"training.arithmetic.stablehlo.symbolic_array"},
    {
        "training.arithmetic.stablehlo.array_functions",
        "training.arithmetic.stablehlo.ufuncs",
    },
    {"training.arithmetic.stablehlo.promotion"},
    {"training.arithmetic.stablehlo.operations"},
    {"training.arithmetic.stablehlo.module"},
    {
        "training.arithmetic.blas",
        "training.arithmetic.mapping",
        "training.arithmetic.stablehlo.text",
    },
    {
        "display.panels",
        "estimators.averaging",
        "log_probabilities",
        "nesting",
        "network",
        "search.brackets",
        "search.winner",
        "training.batches",
        "training.callbacks",
        "training.deadline",
        "training.epoch_tasks",
        "training.fingerprint",
        "training.forks",
        "training.holdout",
        "training.plan",
    },
    {"initial_weights", "metrics"},
    {"frozen", "losses", "randomness", "training.own_code"},
    {"routing"},
    {
        "training.arithmetic",
        "training.arithmetic.stablehlo",
        "training.groups",
        "training.members",
        "training.mlp",
        "training.models",
        "training.optimizers",
        "training.programs",
    },
    {"_compat.keras", "_compat.sklearn", "_compat.tensorflow", "_scikeras", "optional"},
    {"_compat"},
)

# Who may import which private parts of other libraries, and why.
PRIVATE_ALLOWED = {
    "_compat.keras": {"keras.src": "Keras's global state has no public way in"},
    "_compat.sklearn": {
        "sklearn.base._fit_context": "checks parameters, manages callbacks",
        "sklearn.model_selection._search.BaseSearchCV": "what searches are",
        "sklearn.model_selection._validation._fit_and_score": (
            "what every search does with a candidate and a fold"
        ),
        "sklearn.utils._param_validation": "the constraints of parameters",
        "sklearn.utils._safe_indexing": "takes rows of whatever a user passes",
        "sklearn.utils.validation._check_method_params": "rows of arguments",
        "sklearn.utils.validation._check_sample_weight": "as estimators do",
    },
    "_compat.tensorflow": {
        "tensorflow.python": "clears what TensorFlow keeps of old traces"
    },
    "_scikeras": {"scikeras._utils": "the routing of parameters, unchanged"},
}


class Import(NamedTuple):
    """One imported name: the module it stands in, and the module it comes from."""

    module: str
    target: str


def list_modules() -> dict[str, Path]:
    """Return each module of the package, by its name within it."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return found


MODULES = list_modules()


def read_imports(module: str, source: str) -> Iterator[Import]:
    """Yield every absolute import of a module, in functions too, by its full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                yield Import(module, f"{node.module}.{alias.name}")


def all_imports() -> list[Import]:
    """Return every import of every module of the package."""
    return [
        found
        for module, path in MODULES.items()
        for found in read_imports(module, path.read_text(encoding="utf-8"))
    ]


IMPORTS = all_imports()


def list_edges(imports: list[Import], modules: set[str]) -> set[tuple[str, str]]:
    """Return which module runs which when it is imported.

    Importing ``a.b.c`` runs ``a.b`` too. The module's own parents run already, and so
    does the root, which comes before everything.
    """
    edges = set()
    for module, target in imports:
        if target.split(".")[0] != PACKAGE:
            continue
        name = target.removeprefix(PACKAGE).removeprefix(".")
        while name:
            is_own_parent = module == name or module.startswith(f"{name}.")
            if name in modules and not is_own_parent:
                edges.add((module, name))
            name = name.rpartition(".")[0]
        if target in (PACKAGE, *(f"{PACKAGE}.{n}" for n in ROOT_NAMES)):
            edges.add((module, ""))
    return edges


ROOT_NAMES = {
    target.rpartition(".")[2]
    for module, target in IMPORTS
    if not module and target.startswith(f"{PACKAGE}.")
}
EDGES = list_edges(IMPORTS, set(MODULES))
LEVELS = {module: level for level, group in enumerate(LAYERS) for module in group}


def test_every_module_has_a_layer():
    """The declared layers name each module of the package once, and no other."""
    declared = [module for group in LAYERS for module in group]
    assert sorted(declared) == sorted(MODULES)


def find_upward(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that do not lead to a lower layer."""
    return {(m, target) for m, target in edges if LEVELS[m] >= LEVELS[target]}


def test_imports_go_down():
    """A module imports from lower layers only, so that there are no cycles."""
    assert find_upward(EDGES) == set()


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("frozen", "estimators.base"),
        ("estimators.rows", "estimators.targets"),
        ("estimators.rows", ""),
    ],
)
def test_upward_imports_are_recognised(module, target):
    """The check sees an import from above, from beside, and from the root."""
    assert find_upward({(module, target)}) == {(module, target)}


def find_siblings(module: str, target: str) -> tuple[str, str]:
    """Return what two modules stand in, or are, in the innermost folder of both."""
    lines = [
        list(accumulate(name.split("."), "{}.{}".format)) for name in (module, target)
    ]
    return next(pair for pair in zip_longest(*lines) if pair[0] != pair[1])


def test_folders_do_not_import_one_another():
    """Of two folders in one folder, one stands above the other."""
    pairs = {find_siblings(*edge) for edge in EDGES}
    assert {pair for pair in pairs if pair[::-1] in pairs} == set()


def test_the_search_and_the_estimators_are_strangers():
    """Searches take any estimator, and estimators know nothing of searches."""
    strangers = {"estimators", "search"}
    for edge in EDGES:
        assert {name.split(".")[0] for name in edge} != strangers, edge


def test_only_one_module_imports_scikeras():
    """What is used of scikeras can be replaced in one place."""
    users = {module for module, target in IMPORTS if target.split(".")[0] == "scikeras"}
    assert users == {"_scikeras"}


def is_private(target: str) -> bool:
    """Tell whether a name is private, or stands in a private module."""
    own = {f"{PACKAGE}._compat", f"{PACKAGE}._scikeras"}
    parts = target.split(".")
    if ".".join(parts[:2]) in own:
        parts = parts[2:]
    if ".".join(parts[:2]) in ("keras.src", "tensorflow.python"):
        return True
    return any(p.startswith("_") and not p.startswith("__") for p in parts)


def find_private(imports: list[Import]) -> set[Import]:
    """Return the imports of what is private to another module."""
    return {found for found in imports if is_private(found.target)}


def is_allowed(module: str, target: str) -> bool:
    """Tell whether a private import is one of the exceptions."""
    allowed = PRIVATE_ALLOWED.get(module, {})
    return any(f"{target}.".startswith(f"{what}.") for what in allowed)


def test_private_parts_are_imported_in_one_place():
    """Private parts of other libraries, and of other modules, are left alone."""
    strays = {found for found in find_private(IMPORTS) if not is_allowed(*found)}
    assert strays == set()


def test_every_exception_is_used():
    """An exception that nothing needs any more is taken off the list."""
    private = find_private(IMPORTS)
    for who, allowed in PRIVATE_ALLOWED.items():
        for what in allowed:
            assert any(m == who and f"{t}.".startswith(f"{what}.") for m, t in private)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import keras.src.layers", True),
        ("from keras import src", True),
        ("from tensorflow.python.eager import context", True),
        ("from sklearn.utils._tags import get_tags", True),
        ("from sklearn.utils.validation import _num_samples", True),
        ("from skkeras_tune.estimators.rows import _join", True),
        ("from skkeras_tune._compat.sklearn import Interval", False),
        ("from skkeras_tune._compat.keras import _swap_global", True),
        ("from keras.layers import Dense", False),
        ("from __future__ import annotations", False),
    ],
)
def test_private_parts_are_recognised(source, expected):
    """The check sees private modules and private names, however imported."""
    found = find_private(list(read_imports("losses", source)))
    assert bool(found) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from skkeras_tune.frozen import freeze", {"frozen"}),
        ("import skkeras_tune.frozen", {"frozen"}),
        ("from skkeras_tune import frozen", {"frozen"}),
        ("def f():\n    from skkeras_tune.frozen import freeze", {"frozen"}),
        (
            "from skkeras_tune.training.plan import Network",
            {"training", "training.plan"},
        ),
        ("from skkeras_tune import KerasClassifier", {""}),
        ("import skkeras_tune", {""}),
        ("import numpy", set()),
    ],
)
def test_edges_are_recognised(source, expected):
    """The check sees every way to write an import, and the packages it runs."""
    edges = list_edges(list(read_imports("losses", source)), set(MODULES))
    assert edges == {("losses", target) for target in expected}
