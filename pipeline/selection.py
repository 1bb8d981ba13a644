"""Which steps of a DAG a run is for."""

import dataclasses

from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which steps to run: all, or those between any of `first` and any of `last`, or `only` one."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    only: str | None = None
    force: tuple[str, ...] = ()

    def chosen(self, dag: Dag) -> set[str]:
        """Names of the steps to run; the others lend their newest outputs.

        Raises:
            UsageError: a name is not a step of `dag`, or the choices exclude one another.
        """
        if self.only and (self.first or self.last):
            raise UsageError("--only: expected alone. Received: --from or --to beside it.")
        names = set(dag.steps)
        if self.only:
            names = {dag.find(self.only).name}
        if self.first:
            names &= set().union(*(dag.descendants(dag.find(step)) for step in self.first))
        if self.last:
            names &= set().union(*(dag.ancestors(dag.find(step)) for step in self.last))
        if not names:
            raise UsageError(
                f"--from {' '.join(self.first)} --to {' '.join(self.last)}: expected a step on "
                "the way from the one to the other. Received: none. The order is "
                f"{', '.join(dag.steps)}."
            )
        for name in self.force:
            if dag.find(name).name not in names:
                raise UsageError(
                    f"--force {name}: expected a step of this run. Received: one that --only, "
                    "--from or --to leaves out. Leave one of them out."
                )
        return names
