"""A person's own project from the template: files whose names and texts hold `$package`."""

import importlib.resources
import keyword
import pathlib
import re
import string
import sys

from millrace.pipeline.errors import UsageError

_FILES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "gitignore": ".gitignore",
    "package.py": "$package/__init__.py",
    "recipe.py": "$package/recipe.py",
    "model.py": "$package/model.py",
    "preprocessing.py": "$package/preprocessing.py",
    "test_project.py": "tests/test_$package.py",
}
_TAKEN = ("millrace", "tests")


def write(folder: pathlib.Path) -> str:
    """Write the project into `folder`, new or empty; returns its package's name.

    Raises:
        UsageError: the folder holds something, cannot be written to, or its name makes no name
            for a package.
    """
    package = package_name(folder.resolve().name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"{folder}: expected a folder to write to. Received: {error.strerror}. Name another."
        ) from None
    if held:
        raise UsageError(
            f"{folder}: expected a folder that is new or empty. Received: one that holds "
            f"{', '.join(held[:3])}{', …' if len(held) > 3 else ''}. Name another."
        )
    templates = importlib.resources.files("millrace.pipeline.project") / "template"
    for source, target in _FILES.items():
        text = (templates / f"{source}.template").read_text(encoding="utf-8")
        file = folder / _filled(target, package)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled(text, package), encoding="utf-8")
    return package


def package_name(folder: str) -> str:
    """The name of a package for the folder called `folder`: `My flowers` is `my_flowers`.

    Raises:
        UsageError: it would begin with a digit, be a word of Python's, or a module's name that
            is taken.
    """
    name = re.sub(r"\W+", "_", folder.lower(), flags=re.ASCII).strip("_")
    is_taken = name in _TAKEN or name in sys.stdlib_module_names or keyword.iskeyword(name)
    if not name.isidentifier() or is_taken:
        raise UsageError(
            f"{folder}: expected a folder whose name can be a Python package's. Received: "
            f"{name!r}{', which is taken' if is_taken else ''}. Name it otherwise, such as flowers."
        )
    return name


def _filled(text: str, package: str) -> str:
    return string.Template(text).substitute(package=package)
