"""Short reviews, good and bad: texts that need no network. Written for this project, of no one.

They are put together from phrases: what was reviewed, what it was like, and a last word. They
show the way of a text through the pipeline, and are far easier than what people write.
"""

import csv
import io
import itertools

from etils.epath import Path

from millrace.components.artifacts import RawFiles

# What was reviewed: how the review begins, then what may be said for and against it.
_THINGS = (
    (
        ("The film", "This thriller", "Her new documentary", "The second part of the series"),
        (
            "held me from the first scene to the last",
            "has a clever script and wonderful actors",
            "made me laugh and, near the end, cry",
            "looks beautiful and never drags",
            "is the best thing I have seen this year",
        ),
        (
            "drags on for two hours and goes nowhere",
            "has a dull script and wooden actors",
            "wastes a good idea on cheap jokes",
            "bored me so much that I left early",
            "is a mess of clichés and loud music",
        ),
    ),
    (
        ("The restaurant by the river", "This little café", "The new pizzeria", "Their lunch menu"),
        (
            "serves fresh food at a fair price",
            "was a delight, with friendly staff and perfect pasta",
            "has the best soup in town",
            "made our evening, and the dessert was superb",
            "is worth every cent",
        ),
        (
            "served us cold food after an hour",
            "was a letdown, with rude staff and soggy pasta",
            "charges far too much for tiny plates",
            "spoiled our evening, and the dessert was stale",
            "is dirty and noisy",
        ),
    ),
    (
        ("The hotel", "Our room", "This guest house", "The apartment near the station"),
        (
            "was clean, quiet and full of light",
            "has a lovely view and a comfortable bed",
            "surprised us with a generous breakfast",
            "was spotless, and the host could not have been kinder",
            "is close to everything and still peaceful",
        ),
        (
            "was dirty, loud and smelled of smoke",
            "has a broken shower and a lumpy bed",
            "disappointed us with a miserable breakfast",
            "was cold, and the host ignored our complaints",
            "looks nothing like the pictures",
        ),
    ),
    (
        ("The phone", "This pair of headphones", "The kettle", "My new laptop"),
        (
            "works perfectly and feels solid",
            "does more than I hoped for, and the battery lasts for days",
            "is easy to set up and a pleasure to use",
            "arrived early and runs without a hitch",
            "is simply excellent for the money",
        ),
        (
            "stopped working after a week",
            "feels cheap, and the battery is empty by noon",
            "is awkward to set up and a pain to use",
            "arrived late and with a scratch across the front",
            "is poorly made and far too expensive",
        ),
    ),
    (
        ("The novel", "This cookbook", "Her collection of stories", "The guide to the mountains"),
        (
            "is warm, funny and impossible to put down",
            "taught me more than I expected",
            "is full of brilliant ideas and clear language",
            "moved me deeply, and I have given it to three friends",
            "gets better with every chapter",
        ),
        (
            "is shallow, tedious and badly edited",
            "taught me nothing that was new",
            "is full of mistakes and empty phrases",
            "annoyed me on every page, and I gave up halfway",
            "gets worse with every chapter",
        ),
    ),
)
_LAST_GOOD = ("I loved it.", "Highly recommended!", "I will be back.", "Five stars from me.", "")
_LAST_BAD = ("I hated it.", "Avoid it!", "Never again.", "What a waste of money.", "")


def reviews_table(out: Path) -> RawFiles:
    """Write `reviews.csv`: 500 reviews, columns `text` and `label`, `positive` or `negative`.

    Half of them are of each class. Each beginning meets each phrase that fits it, and all the last
    words; none comes twice.

    Args:
        out: becomes the folder of the table.
    """
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows(reviews())
    (out / "reviews.csv").write_text(content.getvalue())
    return RawFiles(out)


def reviews() -> list[tuple[str, str]]:
    """Each review and its class, the classes in turn."""
    good = [review for things, praise, _ in _THINGS for review in _said(things, praise, _LAST_GOOD)]
    bad = [review for things, _, blame in _THINGS for review in _said(things, blame, _LAST_BAD)]
    pairs = zip(good, bad, strict=True)
    return [row for one, other in pairs for row in ((one, "positive"), (other, "negative"))]


def _said(things: tuple[str, ...], phrases: tuple[str, ...], last: tuple[str, ...]) -> list[str]:
    """Half of all combinations of a beginning, a phrase and a last word."""
    every = itertools.product(enumerate(things), enumerate(phrases), enumerate(last))
    return [
        f"{thing} {phrase}. {word}".strip()
        for (first, thing), (second, phrase), (third, word) in every
        if (first + second + third) % 2 == 0
    ]
