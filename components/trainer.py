"""Train a Keras model on transformed examples.

This module holds the options; the work is in `models` (networks) and `training` (objective,
input, callbacks, resumption), which import TensorFlow and are imported when it runs.
"""

import logging
from typing import Literal

from etils.epath import Path

from millrace.components.artifacts import (
    Analysis,
    Examples,
    Hyperparameters,
    LearningRate,
    TrainedModel,
)
from millrace.components.candidates import kinds as candidates
from millrace.components.candidates.candidate import Candidate
from millrace.components.errors import OptionError
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import sizes
from millrace.components.models.auto_options import Auto
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.options import AnyModel, check_augment, check_fits
from millrace.components.options.pieces import Piece
from millrace.components.options.ranges import Count, Number, Positive, Seed
from millrace.components.training import objective as objectives
from millrace.components.training.options import (
    ADAM,
    Descent,
    EarlyStopping,
    FineTune,
    Optimizer,
    Precision,
    Strategy,
    Watching,
)
from millrace.components.training.plan import Split, TrainingPlan
from millrace.components.training.schedule_options import CONSTANT, Schedule
from millrace.components.tuning.hyperparameters import tunable
from millrace.serving import tensorflow_import

logger = logging.getLogger(__name__)

CNN = Cnn()
UNCHANGED = Augment()
NO_TARGETS: dict[str, float] = {}
NO_EARLY_STOPPING = EarlyStopping()
ONE_STAGE = FineTune()


@tunable
def trainer(
    examples: Examples,
    analysis: Analysis,
    warm_start: TrainedModel | None,
    out: Path,
    resume: Path,
    *,
    rate: LearningRate | None = None,
    hyperparameters: Hyperparameters | None = None,
    epochs: Count = 5,
    batch_size: Count = 32,
    seed: Seed = 42,
    deterministic: bool = False,
    model: AnyModel = CNN,
    augment: Augment = UNCHANGED,
    output: objectives.Output = "probabilities",
    loss: objectives.Loss = objectives.AUTO,
    class_weight: Literal["none", "balanced"] = "none",
    optimizer: Optimizer = ADAM,
    learning_rate: Positive | None = None,
    schedule: Schedule = CONSTANT,
    precision: Precision = "float32",
    top_k: Number = 0,
    metrics: tuple[Piece, ...] = (),
    callbacks: tuple[Piece, ...] = (),
    shuffle_buffer: Count | None = None,
    validation: str = "eval",
    monitor: str = "val_loss",
    stop_at: dict[str, float] = NO_TARGETS,
    early_stopping: EarlyStopping = NO_EARLY_STOPPING,
    keep: Literal["last", "best"] = "last",
    fine_tune: FineTune = ONE_STAGE,
    tensorboard: bool = False,
    strategy: Strategy = "none",
    calibrate: bool = True,
    threshold: Literal["even", "auto"] = "even",
) -> TrainedModel:
    """Train a Keras model on the train split of transformed examples.

    Args:
        examples: transformed records.
        analysis: how they were preprocessed.
        warm_start: a model whose weights training starts from.
        out: gets `Format-Keras/model.keras` (without augmentation, taking what `transform`
            writes), `model.json` (layers and parameters), `history.csv`, `calibration.json` and
            TensorBoard's `logs/`.
        resume: survives a kill; training goes on there after the last whole epoch.
        rate: what `rate_finder` picked; taken where `learning_rate` is none.
        hyperparameters: what `tuner` found; its settings override the options below.
        epochs: passes over the train split, at most.
        batch_size: examples per step.
        seed: of the first weights, the order of examples, dropout and augmentation.
        deterministic: forbid TensorFlow every kernel whose sums may come out in another order;
            slower, and only needed for equal weights on a GPU.
        model: a network for the data's kind, and its own options; `auto` tries a few, each with the
            options below that suit it, and keeps what answers best on the validation split. What
            you set yourself holds for all.
        augment: random changes to training pictures; `mixup` and `cutmix` change their labels too.
        output: what the last layer gives; `logits` moves the softmax into the loss.
        loss: Keras's, and label smoothing; `auto` goes by the task and the number of classes.
        class_weight: `balanced` lets each class weigh the same.
        optimizer: Keras's, and its momentum, gradient clipping and weight decay.
        learning_rate: the first one; none is what `rate` says, else the optimizer's default.
        schedule: how the learning rate changes from there: `constant`, `exponential`, `cosine`,
            `piecewise` or `reduce_on_plateau`, and their own options.
        precision: of the layers' arithmetic; weights and the last layer are float32 throughout.
        top_k: adds the metric `top_<k>_accuracy`; 0 does not.
        metrics: more of them: classes of Keras with their arguments, such as
            `BinaryAccuracy(threshold=0.7)`, or your own by `package.module:name`.
        callbacks: Keras's, or your own by `package.module:name`: a class, an object such as a
            `LambdaCallback`, or a function that makes one. A training that is resumed makes them
            anew; attributes that a callback's own attribute `resumed` lists, numbers, are kept.
        shuffle_buffer: examples shuffled among one another; none is as many as fit 256 MiB.
        validation: split to evaluate after each epoch, where there is one of this name.
        monitor: the metric that early stopping, `keep` and the schedule `reduce_on_plateau` go
            by; without a validation split, the one of training stands in for a `val_` one.
        stop_at: targets by metric; stop once all are reached.
        early_stopping: stop once `monitor` has not improved for some epochs.
        keep: the weights of the last epoch, or of the best by `monitor`; of epochs that are
            equally good, the one of the lowest loss.
        fine_tune: a second stage that trains upper layers of a pretrained network as well.
        tensorboard: write logs for TensorBoard.
        strategy: on what to train: one device; all devices of this machine (`mirrored`); the
            machines that TF_CONFIG names (`multi_worker`). A batch is that of all together.
        calibrate: fit a classifier's temperature on the validation split, which changes how sure it
            is and no answer; of other models, intervals around their numbers. Not on few rows (50
            for a temperature, 20 for intervals), and never on the split `test`.
        threshold: from which probability on the second of two classes is the answer: `even` is
            1/2; `auto` chooses it on the validation split as well, where one class is rare, so that
            accuracy and balanced accuracy gain together. Probabilities stay as they are. Needs
            `calibrate`; classes that weigh the same by `class_weight` leave it at 1/2.

    Raises:
        DataError: the train split is empty.
        OptionError: an option does not fit another or the data.
        ModelError: the model of `warm_start` has other layers.
    """
    spec, train = specs.read(analysis.file), Split.to_train_on(examples)
    check_fits(model, spec)
    check_augment(augment, spec)
    _check_auto(model, strategy, fine_tune, warm_start)
    has_validation = bool(examples.counts.get(validation)) and validation != "train"
    tried = candidates.of(spec, train.count, model.tried) if isinstance(model, Auto) else ()
    plan = TrainingPlan(
        spec=spec,
        model=tried[0].model if isinstance(model, Auto) else model,
        augment=augment,
        objective=objectives.of(spec, loss, output, mixed=augment.mixes),
        descent=Descent(
            optimizer=optimizer,
            learning_rate=_first_rate(learning_rate, optimizer, rate),
            schedule=schedule,
            precision=precision,
        ),
        watching=Watching(
            stop_at=stop_at,
            monitor=monitor if has_validation else monitor.removeprefix("val_"),
            early_stopping=early_stopping,
            keep=keep,
            tensorboard=tensorboard,
        ),
        train=train,
        validation=Split.of(examples, validation) if has_validation else None,
        warm_start=warm_start.keras_file if warm_start else None,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        deterministic=deterministic,
        buffer=shuffle_buffer,
        balanced=class_weight == "balanced",
        top_k=top_k,
        strategy=strategy,
        metrics=metrics,
        callbacks=callbacks,
    )
    if isinstance(model, Cnn) and isinstance(spec, ImageSpec):
        sizes.after_blocks(model, spec.height, spec.width)  # refused before TensorFlow starts

    tensorflow_import.load()
    from millrace.components.training import calibration  # Keras

    logger.info(
        "training on %d examples, %s",
        plan.train.count,
        f"validating on {plan.validation.count}" if plan.validation else "without validation",
    )
    trained = _trained(plan, tried, model, fine_tune, out, resume)
    if calibrate and validation != "test":
        choose = threshold == "auto" and not plan.balanced
        calibration.apply(plan, trained, validation, choose_threshold=choose)
    return trained


def _trained(
    plan: TrainingPlan,
    tried: tuple[Candidate, ...],
    model: AnyModel,
    fine_tune: FineTune,
    out: Path,
    resume: Path,
) -> TrainedModel:
    """The network of `plan`, or what `auto` chooses of those `tried`."""
    from millrace.components.training import fine_tuning, fitting  # Keras

    if isinstance(model, Auto):
        from millrace.components.candidates import search

        return search.run(plan, tried, model, out, resume)
    if fine_tune.epochs:
        return fine_tuning.train(plan, fine_tune, out, resume)
    return fitting.train(plan, out, resume)


def _first_rate(
    option: float | None, optimizer: Optimizer, found: LearningRate | None
) -> float | None:
    """The first learning rate; None is the optimizer's default."""
    if option and optimizer.named_rate:
        raise OptionError(
            f"trainer.learning_rate: expected none with {optimizer.kind}, which names it. "
            f"Received: {option}. Leave one of them out."
        )
    return option or optimizer.named_rate or (found.rate if found else None)


def _check_auto(
    model: AnyModel, strategy: Strategy, fine_tune: FineTune, warm_start: TrainedModel | None
) -> None:
    """Refuse what needs one network where several are tried."""
    if not isinstance(model, Auto):
        return
    for option, received, is_set in (
        ("trainer.strategy", strategy, strategy == "multi_worker"),
        ("trainer.fine_tune.epochs", fine_tune.epochs, bool(fine_tune.epochs)),
        ("trainer.warm_start", warm_start and warm_start.path, warm_start is not None),
    ):
        if is_set:
            raise OptionError(
                f"{option}: expected none with trainer.model=auto, which trains several networks. "
                f"Received: {received}. Name one network by trainer.model."
            )
