"""`KerasRegressor`: numbers in y, one target or several; no arithmetic."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags

from skkeras_tune.estimators.averaging import spread
from skkeras_tune.estimators.base import KerasEstimator
from skkeras_tune.estimators.targets import NumberTargetEncoder
from skkeras_tune.network import Normalization
from skkeras_tune.training.engine import Engine


class KerasRegressor(RegressorMixin, KerasEstimator):
    """A Keras network as a scikit-learn regressor.

    Takes one target or several. The output layer and the loss follow from the target.

    Parameters
    ----------
    model : callable, keras.Model or None, default=None
        None trains the built-in multilayer perceptron (see `build_mlp`), shaped by the
        parameters below. A function (or any callable) is called to build the model: it
        returns a `keras.Model`, compiled or not, and may ask for ``meta`` (a dict of
        `n_features_in_`, `n_classes_` and the like), ``compile_kwargs`` (ready for
        `keras.Model.compile`) and parameters of its own, which become parameters of
        the estimator. A model is copied for each fit, weights included.
    hidden_layer_sizes : sequence of int, int or None, default=None
        Width of each hidden layer. None takes `n_hidden` layers of `units`.
    n_hidden : int, default=1
        Number of hidden layers; 0 gives a linear model.
    units : int, default=100
        Width of each hidden layer; the default is that of scikit-learn's MLP.
    activation : str, callable or None, default="relu"
        Activation of the hidden layers, by any name that Keras knows.
    dropout : float in [0, 1), default=0.0
        Share of each hidden layer's outputs dropped in training.
    normalization : {"batch", "layer"} or None, default=None
        Normalisation between each hidden layer's weights and its activation.
    l1, l2 : float, default=0.0
        Penalties on the kernels, added to the loss.
    wide : bool, default=False
        Also join the inputs to the last layer.
    kernel_initializer : str or keras.initializers.Initializer, default="auto"
        "auto" is He-normal for ReLU and its kin, LeCun-normal for SELU, and
        Glorot-uniform otherwise.
    optimizer : str, class or keras.optimizers.Optimizer, default="adam"
        Options go through the route, as in ``optimizer__momentum=0.9``.
    learning_rate : float or keras LearningRateSchedule, default=1e-3
        Step size, unless ``optimizer__learning_rate`` is given. With an optimizer
        instance it applies only when it was set.
    batch_size : int or None, default=32
        Rows per gradient step. -1 is all rows, None is 32.
    epochs : int, default=100
        Passes over the training rows, at most.
    loss : str, class, keras.losses.Loss, callable, list or dict, default="auto"
        "auto" is the mean squared error. Options go through the route, as in
        ``loss="huber", loss__delta=2.0``.
    metrics : str, callable, list or dict, default=None
        Metrics to compute after each epoch, as for `keras.Model.compile`. One that
        gives a number for each class or output has to average them.
    early_stopping : bool, default=True
        Hold out rows and stop when `monitor` has not improved for `patience` epochs.
        A `keras.callbacks.EarlyStopping` among the callbacks takes its place.
    validation_split : float in [0, 1), default=0.1
        Share of the rows to hold out, drawn at random, whole groups where `groups` are
        given. Used when `early_stopping` is True, and whenever it was set.
    patience : int, default=10
        Epochs without improvement before training stops; the default is that of
        scikit-learn's ``n_iter_no_change``.
    min_delta : float, default=0.0
        Smallest change that counts as an improvement.
    monitor : str, default="val_loss"
        The entry of `history_` to watch, for its lowest value or, of a metric such as
        the accuracy, its highest, as Keras's `EarlyStopping` has it.
    restore_best_weights : bool, default=True
        Keep the weights of the best epoch rather than the last.
    refit_full : bool or float, default=False
        After early stopping, train again on all rows for this factor times the best
        number of epochs (True is 1). KerasTuner's guide takes 1.2. Callbacks take part,
        except those that monitor a value.
    callbacks : keras.callbacks.Callback, class, list or dict, default=None
        Copied for each fit; the copies are in `callbacks_`. Options of classes go
        through the route, as in ``callbacks__patience=3``.
    random_state : int, RandomState instance or None, default=None
        Decides held-out rows, initial weights, batch order and dropout. Global random
        state is left as it was. None draws fresh entropy.
    n_members : int, default=1
        Number of networks. They are trained side by side on the same rows, from seeds
        of their own, and averaged; the first is the one that ``n_members=1`` trains.
        `predict_std` says how much they differ.
    warm_start : bool, default=False
        Go on from the weights and the optimizer's state of the last fit.
    engine : {"auto", "compiled", "keras"}, default="auto"
        How to train. "compiled" runs whole epochs in one program, and raises where a
        setting or a `model` has no compiled form; "keras" is Keras's own `fit`, with
        the same answer. "auto" compiles where it can, and lets NumPy run a training
        that has ended before it would be compiled.
    memory : str, path, object with the interface of joblib.Memory or None, default=None
        Where to keep the results of trainings. A training that was done before, with
        the same rows, parameters and versions, gives its result again, so that a search
        which was killed goes on where it was. It needs a `random_state`. Fits with
        callbacks that do more than steer the training (stop it, change the rate) are
        trained each time. A fit that is remembered prints nothing.
    verbose : int or "auto", default=0
        Keras's progress output: 0 is silent, 1 a bar, 2 a line an epoch.
    **kwargs
        Parameters of the model function, and routed parameters with the prefixes
        ``model__``, ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``,
        ``fit__``, ``predict__``, ``compile__`` and ``score__``, as in scikeras.

    Attributes
    ----------
    model_ : keras.Model
        The trained model, built on first use. Of several members, a model that is not
        compiled, shares their weights and gives the mean of their outputs.
    weights_ : list of ndarray
        Its weights; of several members, those of each in turn.
    history_ : dict of str to list of float
        Loss and metrics after each epoch, ``val_`` ones on the held-out rows. Of
        several members, the mean over those still in training.
    best_epoch_ : int
        The epoch of the best monitored value, counted from 1; the last epoch without
        early stopping. Of several members, the median.
    n_epochs_ : int
        Number of epochs in `history_`.
    refit_history_ : dict of str to list of float
        History of the second training, with `refit_full`; of several members, the
        mean.
    members_ : list of estimators
        Each member as an estimator of its own, with its `history_`, `best_epoch_`,
        `weights_` and `model_`.
    seed_ : int
        What all of the fit's randomness came from: as `random_state` it repeats a fit
        that had none.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks as they were after the fit; each member has copies of its own,
        and these are the first's. Not pickled.
    engine_ : {"compiled", "keras"}
        What trained it.
    engine_reason_ : str or None
        Why it was not compiled.
    n_features_in_ : int
        Number of features.
    n_outputs_ : int
        Number of targets.
    feature_names_in_ : ndarray of str
        Names of the features, when X has names.

    See Also
    --------
    KerasClassifier : The same for labels.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkeras_tune import KerasRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = KerasRegressor(learning_rate=0.01, random_state=0)
    >>> model = make_pipeline(StandardScaler(), regressor).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """

    _numeric_target = True

    def __init__(
        self,
        model: Any = None,
        *,
        hidden_layer_sizes: Any = None,
        n_hidden: int = 1,
        units: int = 100,
        activation: Any = "relu",
        dropout: float = 0.0,
        normalization: Normalization = None,
        l1: float = 0.0,
        l2: float = 0.0,
        wide: bool = False,
        kernel_initializer: Any = "auto",
        optimizer: Any = "adam",
        learning_rate: Any = 1e-3,
        batch_size: int | None = 32,
        epochs: int = 100,
        loss: Any = "auto",
        metrics: Any = None,
        early_stopping: bool = True,
        validation_split: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        restore_best_weights: bool = True,
        refit_full: bool | float = False,
        callbacks: Any = None,
        random_state: Any = None,
        n_members: int = 1,
        warm_start: bool = False,
        engine: Engine = "auto",
        memory: Any = None,
        verbose: Any = 0,
        **kwargs: Any,
    ) -> None:
        self._store(locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def target_encoder(self) -> Any:
        """A new transformer of the target; override it for other kinds of target."""
        return NumberTargetEncoder()

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch more on these rows, none of them held out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, compared with those of other calls: unlike `fit`,
            none of them is scaled.

        Returns
        -------
        self
            The estimator itself.
        """
        return self._fit_one_epoch(X, y, sample_weight)

    def predict_std(self, X: ArrayLike, **options: Any) -> NDArray[Any]:
        """Return the standard deviation of the members' predictions.

        It says how far training decides the prediction, and is large on rows unlike
        those that the members were trained on. The noise in `y`, which a better network
        would not foresee either, is no part of it, so it is no prediction interval.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        **options
            Arguments of `keras.Model.predict`, such as `batch_size`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units, the shape and the type of what `predict` returns. The sum of
            squares is divided by `n_members`.

        Raises
        ------
        ValueError
            If there is a single member.

        References
        ----------
        Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive
        uncertainty estimation using deep ensembles", 2017.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skkeras_tune import KerasRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> regressor = KerasRegressor(n_members=3, epochs=20, random_state=0)
        >>> std = regressor.fit(X, y).predict_std(X)
        >>> std.shape, bool((std > 0).all())
        ((442,), True)
        """
        self._refuse_single("predict_std")
        outputs = self._predict_members(X, options)
        return spread([self._decode(output) for output in outputs])

    def _decode(self, outputs: Any) -> NDArray[Any]:
        """Return predictions without the axis of one column that `y` had not."""
        predictions = super()._decode(outputs)
        is_column = np.ndim(predictions) == 2 and np.shape(predictions)[1] == 1
        if self.y_ndim_ == 1 and is_column:
            return np.asarray(predictions)[:, 0]
        return predictions

    @staticmethod
    def scorer(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        multioutput: Any = "uniform_average",
        force_finite: bool = True,
    ) -> float:
        """Return R squared; override it to score otherwise.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True and predicted numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        multioutput : str or array-like, default="uniform_average"
            How the outputs are averaged, as in scikit-learn's `r2_score`.
        force_finite : bool, default=True
            Whether a constant `y_true` gives 1 or 0.

        Returns
        -------
        float
            Higher is better.
        """
        score = r2_score(
            y_true,
            y_pred,
            sample_weight=sample_weight,
            multioutput=multioutput,
            force_finite=force_finite,
        )
        return float(score)

    score = KerasEstimator.score
