"""Where a person's own modules are found: the folder that a command is given in. Standard library.

It comes last on the path, so that no file there takes the place of an installed module.
"""

import pathlib
import sys


def importable(folder: pathlib.Path) -> None:
    """Let modules in `folder` be imported, where no other module bears their name."""
    text = str(folder.resolve())
    if text not in sys.path:
        sys.path.append(text)
