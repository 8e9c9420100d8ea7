"""The epoch loop of `Program` around a model of the user's, for one member.

Batches are never padded, since a layer may look at all rows of a batch.
"""

import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from skkeras_tune._compat.keras import list_layers
from skkeras_tune.training.models.judge import ModelJudge
from skkeras_tune.training.models.key import list_variables
from skkeras_tune.training.models.nested import pack
from skkeras_tune.training.optimizers.formulas import TAKE_SPARSE
from skkeras_tune.training.plan import NotCompilable
from skkeras_tune.training.programs.design import Design
from skkeras_tune.training.programs.program import Outcome, Program, State


class ModelProgram(Program):
    """A program whose network is a Keras model, called statelessly.

    Parameters
    ----------
    design : Design
        Its network is the `ModelShape` of `model`.
    model : keras.Model
        Let go of when the program is traced.
    """

    judge: ModelJudge

    def __init__(self, design: Design, model: keras.Model) -> None:
        super().__init__(design)
        self._model: keras.Model | None = model
        self._refusal: str | None = None
        self._idle: list[int] = []
        self._squares: Any = None

    def _prepare(self, data: Any, run: Any, numbers: Any, state: State) -> None:
        """Trace and compile, and let go of the model.

        Raises
        ------
        NotCompilable
            If TensorFlow cannot do it.
        """
        if self._refusal is not None:
            raise NotCompilable(self._refusal)
        model = self.model
        try:
            super()._prepare(data, run, numbers, state)
        except Exception as error:
            self._refusal, self._model = _describe(error), None
            raise NotCompilable(self._refusal) from error
        finally:
            derive_statistics(model)
        self._model = None

    @property
    def model(self) -> keras.Model:
        """The model, while the program is not traced."""
        if self._model is None:
            raise NotCompilable("the program of this model is traced for other rows")
        return self._model

    def visit(
        self,
        orders: Any,
        epoch: Any,
        n_rows: Any,
        sizes: tuple[int, int],
        step: Callable[..., Any],
        carried: list[Any],
    ) -> Any:
        """Take a step for each batch of an order; the last has its own size.

        XLA needs the size in advance, so that the last step is traced apart. TensorFlow
        does not.
        """
        (size, rest), n_rows = sizes, n_rows[0]
        is_exact = self.design.machine == "xla"
        n_steps = n_rows // size if is_exact else -(-n_rows // size)

        def take(i: Any, count: Any) -> Any:
            rows = tf.slice(orders, [epoch, 0, i * size], [1, 1, count])[0]
            mask = tf.ones([1, count], self.type)
            return rows, (mask, tf.reshape(tf.cast(count, self.type), [1]))

        def one(i: Any, *carried: Any) -> Any:
            count = size if is_exact else tf.minimum(size, n_rows - i * size)
            return i + 1, *step(*take(i, count), *carried)

        loop = [tf.constant(0), *carried]
        _, *carried = tf.while_loop(lambda i, *_: i < n_steps, one, loop)
        return step(*take(n_steps, rest), *carried) if is_exact and rest else carried

    def gather(self, data: Any, run: Any, rows: Any) -> State:
        """Return the rows of a batch, nested as they were given, of the one member."""
        taken = super().gather(data, run, rows)
        leaves = {name: values[0] for name, values in taken.items()}
        return {
            "x": pack(self.design.network.features, leaves, "x"),
            "y": pack(self.design.target, leaves, "y"),
            "weight": leaves.get("weight"),
        }

    def train_step(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[State, Outcome]:
        """Take a step, from which weights without a gradient stay as they were."""
        new, outcome = super().train_step(batch, places, numbers, moving)
        if self._idle:
            new["weights"] = self._keep_idle_rows(new["weights"], moving["weights"])
            new["slots"] = {
                name: self._keep_idle_rows(rows, moving["slots"][name])
                for name, rows in new["slots"].items()
            }
        return new, outcome

    def _keep_idle_rows(self, new: Any, before: Any) -> Any:
        parts, kept = self.packing.unpack(new), self.packing.unpack(before)
        for place in self._idle:
            parts[place] = kept[place]
        return self.packing.pack(parts)

    def differentiate(
        self, batch: State, places: Any, numbers: Any, moving: State
    ) -> tuple[tuple[Any, ...], Outcome]:
        """Return the gradients of the weights' rows, and what a batch came to."""
        trained = self._unpack(moving)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            outcome = self._run(trained, batch, moving, training=True)
        found = tape.gradient(outcome.loss, trained)
        self._idle = [i for i, gradient in enumerate(found) if gradient is None]
        pairs = zip(found, trained, strict=True)
        gradients = [tf.zeros_like(w) if g is None else g for g, w in pairs]
        self._squares = self._square_sparse(gradients)
        return self._pack(gradients), outcome

    def _square_sparse(self, gradients: list[Any]) -> Any:
        """Return the squares of gradients as Keras's optimizers have them.

        An embedding that looks a row up several times has as many gradients for it, and
        their squares are added up, not the sum squared. None stands for plain squares.

        Raises
        ------
        NotCompilable
            If the optimizer does more than that with such a gradient.
        """
        if not any(isinstance(g, tf.IndexedSlices) for g in gradients):
            return None
        rule = self.design.optimizer
        if rule.clip is not None or rule.kind not in TAKE_SPARSE:
            raise NotCompilable("the optimizer has its own way with sparse gradients")
        return self._pack([keras.ops.square(gradient) for gradient in gradients])

    def update(
        self, gradients: Any, numbers: Any, moving: State, squares: Any = None
    ) -> tuple[Any, ...]:
        """Return weights, slots and counters after a step."""
        return super().update(gradients, numbers, moving, self._squares)

    def _unpack(self, moving: State) -> list[Any]:
        """Return the trained weights of the one member."""
        return [part[0] for part in self.packing.unpack(moving["weights"])]

    def _pack(self, weights: list[Any]) -> tuple[Any, ...]:
        parts = [tf.convert_to_tensor(weight)[tf.newaxis] for weight in weights]
        return self.packing.pack(parts)

    def test(self, batch: State, places: Any, numbers: Any, moving: State) -> Outcome:
        """Return what a batch of held-out rows comes to."""
        return self._run(self._unpack(moving), batch, moving, training=False)

    def _run(
        self, trained: list[Any], batch: State, moving: State, *, training: bool
    ) -> Outcome:
        outputs, others, losses = self._call(
            trained, moving["others"], batch["x"], training=training
        )
        loss, judged = self.judge.judge(batch["y"], outputs, batch["weight"])
        loss = tf.add_n([loss, *losses])
        return Outcome(judged, tf.reshape(loss, [1]), others)

    def _call(
        self, trained: list[Any], others: list[Any], x: Any, *, training: bool
    ) -> tuple[Any, list[Any], list[Any]]:
        """Return the outputs, the others as they are then, and the added losses."""
        model = self.model
        fixed = [v for v in list_variables(model) if not v.trainable]
        values = {id(v): value[0] for v, value in zip(fixed, others, strict=True)}
        known = list(zip(model.trainable_variables, trained, strict=True))
        known += [(v, values[id(v)]) for v in fixed]
        with keras.StatelessScope(state_mapping=known):
            derive_statistics(model)
        # Keras's `stateless_call` does the same, but drops what is assigned to weights.
        with keras.StatelessScope(state_mapping=known, collect_losses=True) as scope:
            outputs, losses = _call_within(scope, model, x, training)
        variables = model.non_trainable_variables
        values |= {id(v): scope.get_current_value(v) for v in variables}
        leaves = keras.tree.flatten(outputs)
        if any(getattr(leaf, "_keras_mask", None) is not None for leaf in leaves):
            raise NotCompilable("the model's outputs are masked")
        others = [tf.convert_to_tensor(values[id(v)])[tf.newaxis] for v in fixed]
        return outputs, others, losses

    def constrain(self, rows: Any) -> Any:
        """Apply the constraints of the weights."""
        constraints = [v.constraint for v in self.model.trainable_variables]
        if not any(constraints):
            return rows
        pairs = zip(constraints, self.packing.unpack(rows), strict=True)
        return self._pack([keep(part[0]) if keep else part[0] for keep, part in pairs])


def _call_within(
    scope: keras.StatelessScope, model: keras.Model, x: Any, training: bool
) -> tuple[Any, list[Any]]:
    """Return the outputs and the added losses.

    Raises
    ------
    NotCompilable
        If a layer assigns to a trained weight, which is the optimizer's to change here.
    """
    weights = model.trainable_variables
    before = [scope.get_current_value(weight) for weight in weights]
    outputs = model.call(x, training=training)
    for weight, value in zip(weights, before, strict=True):
        if scope.get_current_value(weight) is not value:
            message = f"the model assigns to its trained weight {weight.name}"
            raise NotCompilable(message)
    return outputs, model.losses


def derive_statistics(model: keras.Model) -> None:
    """Let Normalization layers take their numbers from their weights of now."""
    for layer in list_layers(model):
        if isinstance(layer, keras.layers.Normalization) and layer.mean is not None:
            layer.finalize_state()


def _describe(error: Exception) -> str:
    """Return a reason: the first two lines of a message, without Keras's colours."""
    if isinstance(error, NotCompilable):
        return str(error)
    text = re.sub(r"\x1b\[\d+m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"TensorFlow makes no program of the model: {' '.join(lines[:2])}"
