"""Where a run's steps write for TensorBoard, while they do and afterwards.

An output holds a folder `logs`, or `projector_config.pbtxt` for the projector. Before a step has
one, `logs` lie in the folder in which it could be resumed.
"""

import pathlib

from etils.epath import Path

from millrace.components.options.settings import nearest
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ExecutionRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store


def folder(store: Store, root: Root, run: str, step: str = "") -> Path:
    """What TensorBoard's `--logdir` is to be for `run`.

    Args:
        store: which knows the run.
        root: where it is, or was, at work.
        run: its id, the beginning of one, or `latest`.
        step: one of its steps; the first that wrote any if empty.

    Raises:
        UsageError: there is no such run, or it has no such step or no logs; says how to get some.
    """
    with store.session() as session:
        record = store.find_run(session, run)
        steps = {execution.step: execution for execution in record.executions}
        if step and step not in steps:
            raise UsageError(f"Run {record.id}: no step {step} began. {nearest(step, steps)}")
        for execution in [steps[step]] if step else steps.values():
            if found := _logs(execution, root):
                return found
    raise UsageError(
        f"Run {record.id}: expected logs for TensorBoard{f' of {step}' if step else ''}. Received: "
        "none. Run it again with `--set trainer.tensorboard=true`, or `--with projector`."
    )


def _logs(execution: ExecutionRecord, root: Root) -> Path | None:
    at_work = root.resumed(execution.step, execution.key)
    if execution.status == "running" and any(pathlib.Path(at_work).rglob("logs")):
        return at_work
    try:
        output = execution.output.fetch() if execution.output else None
    except FileNotFoundError:  # it is gone
        return None
    if output is None:
        return None
    logs = output / "logs"
    if logs.exists():
        return logs
    return output if (output / "projector_config.pbtxt").exists() else None
