"""Two runs or more beside one another."""

from typing import Any

from millrace.pipeline.errors import UsageError
from millrace.pipeline.ui.contents import compare
from millrace.pipeline.ui.site import Action, Asked, File, View


def gather(asked: Asked) -> dict[str, Any]:
    """What differs between the runs that the address names, `?run=A&run=B`, and what each came to.

    Raises:
        UsageError: it names fewer than two, more than can be compared, or one that is not there.
    """
    names = list(dict.fromkeys(name for name in asked.several.get("run", ()) if name))
    if not 2 <= len(names) <= compare.MOST:
        raise UsageError(
            f"compare: expected two to {compare.MOST} different runs, as in "
            f"?run=latest&run=20260131. Received: {len(names)}. Tick them in the list of runs."
        )
    with asked.session() as session:
        runs = [asked.store.find_run(session, name) for name in names]
        return compare.contents(asked.store, session, asked.root, runs, asked.address)


VIEWS = (View("compare", "compare.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS: tuple[Action, ...] = ()
