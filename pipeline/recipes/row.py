"""One recipe: a row of the table."""

import dataclasses
from collections.abc import Callable

from etils.epath import Path

from millrace.components.features.image_spec import ImageOptions
from millrace.components.features.spec import FeatureOptions
from millrace.pipeline.dag import Dag, Step
from millrace.pipeline.recipes.wiring import train_and_push

Ingest = Callable[[Dag, str | None], Step]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row of the table of recipes.

    Attributes:
        name: what a person types, and the default name of the model.
        kind: of data, as a person calls it.
        data: where it comes from; begins with `--data` where it must be given.
        summary: a line.
        ingest: adds the steps from the data, or None, to Examples.
        settings: options of steps, as a person would type them after `--set`.
        features: how the data is preprocessed.
        extras: steps beside the usual ones, see `recipes.extras`.
    """

    name: str
    kind: str
    data: str
    summary: str
    ingest: Ingest
    settings: tuple[str, ...] = ()
    features: FeatureOptions = ImageOptions()  # noqa: RUF009  # frozen
    extras: tuple[str, ...] = ()

    def wire(
        self, name: str, data: str | None, serving_root: Path, schema: str | None = None
    ) -> Dag:
        """The DAG of this recipe for the pipeline `name`, whose pushed model bears that name.

        With `schema`, a curated schema file takes the place of the inferred one.

        Raises:
            UsageError: the recipe needs `data` and got none.
        """
        dag = Dag(name)
        examples = self.ingest(dag, data)
        train_and_push(dag, examples, self.features, serving_root, schema, self.extras)
        dag.configure(self.settings)
        return dag
