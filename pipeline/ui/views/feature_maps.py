"""What the layers of an image model make of a picture that a person chooses.

Looking at the page runs nothing; its button has the maps drawn by a process of their own.
"""

import time
from typing import Any

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Examples
from millrace.components.features import record as features
from millrace.components.features.image_spec import ImageSpec
from millrace.pipeline.errors import UsageError
from millrace.pipeline.ui import feature_maps, sections
from millrace.pipeline.ui.contents import examples as example_contents
from millrace.pipeline.ui.contents import records
from millrace.pipeline.ui.contents.examples import Chosen
from millrace.pipeline.ui.feature_maps import Wanted
from millrace.pipeline.ui.found import Found, find, finite
from millrace.pipeline.ui.site import Action, Asked, File, Sent, View
from millrace.serving.errors import MillraceError

_FIRST = ("eval", "test")  # the splits that are shown first: no model has learnt from them

Json = dict[str, Any]


def gather(asked: Asked) -> Json:
    """The pictures of a split, to choose one of them."""
    return _page(asked, asked.query.get("split", ""), asked.query.get("start", "0-0"))


def _page(asked: Asked, split: str, start: str) -> Json:
    with asked.session() as session:
        found = _trained(find(asked, session))
        read, spec = _examples(found)
        there = [name for name in read.splits if read.counts.get(name)]
        first = next((name for name in (*_FIRST, *there) if name in there), "")
        chosen = Chosen(split or first, sections.place(start))
        shown = example_contents.gather(read, spec, chosen)
        page = found.page(found.record)
    pictures = [
        {
            "place": each["place"],
            "caption": each["caption"],
            "picture": each["cells"].get(features.PIXELS, {}).get("data", ""),
        }
        for each in shown["records"]
    ]
    told = {name: shown[name] for name in ("splits", "split", "start", "next")}
    return finite(
        {
            "number": found.record.id,
            "model_page": page,
            "page": f"{page}/maps",
            "pictures": pictures,
            **told,
            "chosen": asked.query.get("place") or (pictures[0]["place"] if pictures else ""),
            "of": "",
            "seconds": None,
            "maps": [],
            "error": "",
        }
    )


def draw(asked: Asked, sent: Sent) -> Json:
    """The page again, with the maps of the picture that was chosen or uploaded."""
    split, start = sent.fields.get("split", ""), sent.fields.get("start", "") or "0-0"
    shown = _page(asked, split, start)
    shown["chosen"] = sent.fields.get("place", "") or shown["chosen"]
    began = time.monotonic()
    try:
        wanted = _wanted(asked, sent, shown["split"], shown["chosen"])
        shown |= {"of": wanted.name, "maps": feature_maps.drawn(wanted)}
    except MillraceError as error:
        return shown | {"error": str(error)}
    return shown | {"seconds": round(time.monotonic() - began, 1)}


def _wanted(asked: Asked, sent: Sent, split: str, chosen: str) -> Wanted:
    name, content = sent.files.get("image", ("", b""))
    with asked.session() as session:
        found = _trained(find(asked, session))
        read, _ = _examples(found)
        analysis = found.input("Analysis")
        if analysis is None:
            raise _refusal(found)
        if not content:
            place = sections.place(chosen)
            row = records.row(read, split, place) if split in read.splits else None
            if row is None or features.PIXELS not in row:
                raise UsageError(f"Record {place} of split {split!r}: there is none.")
            name, content = f"record {place} of {split}", row[features.PIXELS].value[0]
        maker = found.record.maker
        made_with = (maker.run.arguments.get("made_with") or {}) if maker else {}
        return Wanted(
            model=str(found.artifact.path),
            analysis=str(analysis.fetch()),
            picture=content,
            is_file="image" in sent.files and bool(sent.files["image"][1]),
            name=name,
            own=made_with.get("folder", ""),
        )


def _trained(found: Found) -> Found:
    """The trained model that is asked for, or that the one asked for was exported from.

    Raises:
        UsageError: it is none.
    """
    record = found.input("TrainedModel") if found.record.type == "Model" else found.record
    if record is None or record.type != "TrainedModel":
        raise _refusal(found)
    return found.at(record)


def _examples(found: Found) -> tuple[Examples, ImageSpec]:
    """The transformed records that the model learnt from.

    Raises:
        UsageError: they are no pictures.
    """
    spec, record = found.spec(), found.input("Examples")
    if record is None or not isinstance(spec, ImageSpec):
        raise _refusal(found)
    return kinds.Examples(found.at(record).artifact.path), spec


def _refusal(found: Found) -> UsageError:
    return UsageError(
        f"Artifact {found.record.id}: expected an image model that a run has trained. Received: "
        f"{found.record.type}. Choose one that takes pictures."
    )


VIEWS = (View("artifacts/{number}/maps", "feature_maps.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS = (Action("artifacts/{number}/maps", draw, "feature_maps.html"),)
