"""Which steps of a DAG a run is for."""

import dataclasses

from pipeline.dag import Dag
from pipeline.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which steps to run: all, or those between `first` and `last`, or `only` one."""

    first: str | None = None
    last: str | None = None
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
            names &= dag.descendants(dag.find(self.first))
        if self.last:
            names &= dag.ancestors(dag.find(self.last))
        for name in self.force:
            dag.find(name)
        return names
