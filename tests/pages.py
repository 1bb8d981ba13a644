"""The commands and scripts that a page shows."""

import re
import shlex


def blocks(text, language):
    """What stands between the fences of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text):
    """Each command of the page's consoles as words, without comments and the `&` behind it."""
    lines = "".join(blocks(text, "console")).replace("\\\n", " ").splitlines()
    shown = (line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    return [shlex.split(line.removesuffix(" &"), comments=True) for line in shown]
