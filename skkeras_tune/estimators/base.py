"""What both estimators share: data and parameters in, a trained network out.

`fit` reads as its steps; the arithmetic is in the modules that it calls.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags

from skkeras_tune._compat.sklearn import CallbackSupportMixin
from skkeras_tune.estimators.class_weights import weigh_classes
from skkeras_tune.estimators.fitted import RESULTS, FittedEstimator
from skkeras_tune.estimators.fitting import (
    Trainer,
    count_epochs,
    fit_members,
    list_trainings,
    list_untrained,
)
from skkeras_tune.estimators.members import show_weights
from skkeras_tune.estimators.parameter_names import (
    EXTRAS,
    list_defaults,
    list_given,
    refuse_unknown,
    refuse_unused,
)
from skkeras_tune.estimators.parameters import (
    CONSTRAINTS,
    refuse_later_options,
    resolve_store,
    validate_options,
)
from skkeras_tune.estimators.planning import (
    Settings,
    TargetFacts,
    build_data,
    build_plan,
    plan_piece,
    plan_refit,
)
from skkeras_tune.estimators.rows import (
    Rows,
    drop_weightless,
    validate_held_out,
    validate_rows,
    validation_set,
)
from skkeras_tune.estimators.targets import (
    describe_target,
    refuse_single_class,
    shape_numbers,
)
from skkeras_tune.randomness import resolve_seed
from skkeras_tune.training import (
    Stages,
    Training,
    TrainingData,
    TrainingPlan,
    prepare_targets,
    train_remembered,
)
from skkeras_tune.training.callbacks import detach
from skkeras_tune.training.epoch_tasks import open_fit
from skkeras_tune.training.programs.store import open_program_store


class KerasEstimator(CallbackSupportMixin, FittedEstimator):
    """Base of `KerasClassifier` and `KerasRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    _numeric_target = False
    _given: frozenset[str] = frozenset()
    _is_clone = False
    _stages: Stages | None = None

    def __new__(cls, *args: Any, **params: Any) -> Self:
        self: Self = super().__new__(cls)
        defaults = cls._list_defaults()
        self._given = list_given(params, defaults, defaults)
        return self

    def _store(self, arguments: dict[str, Any]) -> None:
        """Store the constructor's arguments as they are."""
        named = {n: v for n, v in arguments.items() if n not in ("self", "__class__")}
        extras = named.pop("kwargs")
        self.__dict__.update(named, **extras)

    # --- parameters

    def _get_param_names(self) -> list[str]:
        return sorted(n for n in vars(self) if n[0] != "_" and n[-1] != "_")

    def set_params(self, **params: Any) -> Self:
        """Set parameters, routed ones and those of the model function included.

        Parameters
        ----------
        **params : dict
            Any constructor parameter, ``route__parameter`` with one of the routes
            model, optimizer, loss, metrics, callbacks, fit, predict, compile and
            score, or a parameter that the function given as `model` takes.

        Returns
        -------
        self
            The estimator itself.

        Raises
        ------
        ValueError
            If the estimator has no such parameter.
        """
        model = params.get("model", self._model_source())
        refuse_unknown(params, self._get_param_names(), model, self)
        self._given |= list_given(params, self._list_defaults(), vars(self))
        self.__dict__.update(params)
        return self

    def __sklearn_clone__(self) -> Self:
        twin: Self = super().__sklearn_clone__()
        twin._given, twin._stages = self._given, self._stages
        twin._is_clone = True  # as are all that searches and cross-validation fit
        detach(twin.callbacks)  # a callback may come from a training of the user's own
        return twin

    def set_stages(self, stages: Stages | None) -> Self:
        """Let `fit` train one stage of a training that goes on in other fits.

        What searches need that drop the worse candidates early. The result of a stage
        is that of a fit from the beginning with as many `epochs`.

        Parameters
        ----------
        stages : skkeras_tune.Stages or None
            Shared by the fits, and by clones. None ends it.

        Returns
        -------
        self
            The estimator itself.
        """
        self._stages = stages
        return self

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803  scikit-learn's
        return str(BaseEstimator.__repr__(self, N_CHAR_MAX))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _model_source(self) -> Any:
        """Return `model`, or the method by which a subclass builds its own."""
        if self.model is not None:
            return self.model
        return getattr(self, "_keras_build_fn", None)

    @classmethod
    def _list_defaults(cls) -> dict[str, Any]:
        """Return the defaults of the constructors of the class and its bases."""
        return list_defaults(
            c for c in reversed(cls.__mro__) if issubclass(c, KerasEstimator)
        )

    # --- encoders

    @property
    def feature_encoder(self) -> Any:
        """A new transformer of the features; override it for several inputs."""
        # Whatever scikit-learn's global output is set to, a network takes arrays.
        return FunctionTransformer().set_output(transform="default")

    @property
    def target_encoder(self) -> Any:
        """A new transformer of the target; override it for other kinds of target."""
        raise NotImplementedError

    def _fit_encoders(self, rows: Rows) -> None:
        self.X_shape_, self.X_dtype_ = rows.x.shape, rows.x.dtype
        self.y_dtype_, self.y_ndim_ = rows.y.dtype, rows.y.ndim
        self.target_type_ = describe_target(rows.y)
        self.target_encoder_ = self.target_encoder.fit(rows.y)
        self.feature_encoder_ = self.feature_encoder.fit(rows.x)
        for encoder in (self.target_encoder_, self.feature_encoder_):
            self.__dict__.update(getattr(encoder, "get_metadata", dict)())

    def _encode(self, rows: Rows) -> Rows:
        y = self.target_encoder_.transform(rows.y)
        if self._numeric_target:
            y = shape_numbers(y)
        return replace(rows, x=self.feature_encoder_.transform(rows.x), y=y)

    # --- fitting

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        validation_data: Any = None,
        callbacks: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> Self:
        """Train a network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features; arrays of more axes, such as images, are taken too. Sparse rows
            become dense one batch at a time.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels for the classifier, numbers for the regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; a weight of two is the same as having the row twice.
        X_val, y_val, sample_weight_val : array-like, default=None
            A validation set, used in place of held-out rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together.
        validation_data : tuple of (X, y) or (X, y, sample_weight), default=None
            Keras's spelling of a validation set.
        callbacks : keras.callbacks.Callback or list, default=None
            More callbacks for this fit.
        epochs, batch_size : int, default=None
            Used in place of the parameters.
        **options
            Other arguments of `keras.Model.fit`: `shuffle`, `verbose`,
            `validation_split`, `validation_batch_size`, `validation_freq`, and of the
            classifier `class_weight`.

        Returns
        -------
        self
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range, or the loss becomes NaN.
        TypeError
            If a parameter or an argument is not known.
        """
        training = (X, y, sample_weight, groups)
        if validation_data is None and X_val is None:
            validation_data = getattr(self, "fit__validation_data", None)
        validation = validation_set(validation_data, X_val, y_val, sample_weight_val)
        given = {"callbacks": callbacks, "epochs": epochs, "batch_size": batch_size}
        return self._fit_rows(training, validation, {**given, **options})

    def _fit_rows(
        self,
        training: tuple[Any, Any, Any, Any],
        validation: tuple[Any, Any, Any] | None,
        given: dict[str, Any],
    ) -> Self:
        """Fit on ``(X, y, sample_weight, groups)``; `given` are `fit`'s options."""
        continues = self.warm_start and self._is_fitted
        with self._undone_by_errors():
            settings = self._settle(given, continues=continues)
            rows, held_out = self._read(training, validation, settings)
            refuse_single_class(rows.y)
            data = build_data(settings, rows, held_out)
            plan = build_plan(settings, self._facts(), data)
            refit = plan_refit(settings, plan, rows)
            stages, train = self._stages, self._find_trainer()
            n_epochs = count_epochs(plan, stages)
            rebuild = partial(show_weights, plan) if self.n_members == 1 else None
            with open_fit(
                self, *training[:3], n_epochs=n_epochs, rebuild=rebuild
            ) as listener:
                trainings = self._list_trainings(
                    plan,
                    data,
                    settings,
                    is_repeated=self._is_clone,
                    listener=listener,
                )
                self._keep(fit_members(trainings, train, stages, refit))
        return self

    def _fit_one_epoch(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """Train one epoch more on all rows given, as `partial_fit` does."""
        continues = self._is_fitted
        with self._undone_by_errors():
            settings = self._settle({"epochs": 1}, continues=continues)
            rows, _ = self._read((X, y, sample_weight, None), None, settings)
            plan, data = plan_piece(settings, self._facts(), rows)
            # Whoever trains by single epochs does so many times.
            trainings = self._list_trainings(plan, data, settings, is_repeated=True)
            members = fit_members(trainings, self._find_trainer())
            earlier = self._members if continues else ()
            pairs = zip_longest(members, earlier[: len(members)])
            self._keep([member.join(before) for member, before in pairs])
        return self

    @contextmanager
    def _undone_by_errors(self) -> Iterator[None]:
        """Leave the estimator as it was when a fit fails."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _settle(self, given: dict[str, Any], *, continues: bool) -> Settings:
        """Check all parameters and merge those that may come from several places."""
        open_program_store()  # before anything makes a tensor
        caller, source = type(self).__name__, self._model_source()
        params, own = self.get_params(deep=False), self._list_defaults()
        refuse_unused(params, own, self._given, source, caller)
        refuse_later_options(params, source, self.scorer, caller)
        options = validate_options(params, given, self._parameter_constraints, caller)
        return Settings(
            caller=caller,
            params=params,
            given=self._given,
            given_to_fit=frozenset(given),
            named=frozenset(own) | EXTRAS,
            options=options,
            source=source,
            seed=self._resolve_seed(continues=continues),
            continues=continues,
        )

    def _resolve_seed(self, *, continues: bool) -> int:
        """Return the same seed when training goes on, to hold out the same rows."""
        if self._stages is not None and self._stages.last:
            return self._stages.last[0].seed
        return self.seed_ if continues else resolve_seed(self.random_state)

    def _read(
        self,
        training: tuple[Any, Any, Any, Any],
        validation: tuple[Any, Any, Any] | None,
        settings: Settings,
    ) -> tuple[Rows, Rows | None]:
        """Check, weigh and encode ``(X, y, sample_weight, groups)`` of both sets."""
        reset, numeric = not settings.continues, self._numeric_target
        rows = validate_rows(self, *training, numeric=numeric, reset=reset)
        if reset:
            self._fit_encoders(rows)
        held_out = validate_held_out(self, validation, numeric=numeric)
        class_weight = settings.options.get("class_weight")
        rows, held_out = weigh_classes(
            class_weight, rows, held_out, self.target_encoder_, self.target_type_
        )
        if held_out is not None:
            held_out = self._encode(drop_weightless(held_out))
        return self._encode(drop_weightless(rows)), held_out

    def _facts(self) -> TargetFacts:
        known = self._get_metadata().items()
        meta = {name: value for name, value in known if name not in RESULTS}
        return TargetFacts(tuple(self.X_shape_[1:]), self.target_encoder_, meta)

    def _list_trainings(
        self,
        plan: TrainingPlan,
        data: TrainingData,
        settings: Settings,
        **options: Any,
    ) -> list[Training]:
        earlier = self._members if settings.continues else ()
        callbacks = settings.options["callbacks"]
        return list_trainings(plan, data, callbacks, self.n_members, earlier, **options)

    def _find_trainer(self) -> Trainer:
        """Return what trains: the engine, or the memory of what it has trained."""
        store = resolve_store(self.memory, self.random_state, type(self).__name__)
        return partial(train_remembered, store, engine=self.engine)

    def initialize(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Build the model without training, to predict with weights it came with.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, from which the estimator learns the labels.

        Returns
        -------
        self
            The estimator itself.
        """
        with self._undone_by_errors():
            settings = self._settle({}, continues=False)
            rows, _ = self._read((X, y, None, None), None, settings)
            plan, data = plan_piece(settings, self._facts(), rows)
            members = list_untrained(plan, self.n_members)
            # Refuses outputs that do not fit.
            prepare_targets(members[0].trained.model, data)
            self._keep(members)
        return self
