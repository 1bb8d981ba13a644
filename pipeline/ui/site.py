"""What the pages are about: roots by the names that stand in addresses, and what a view is."""

import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui.model_server import ModelServer


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a page was asked for.

    Attributes:
        site: all roots.
        key: the name of the root in addresses.
        root: it.
        store: its record of runs.
        parts: of the path, by the names in the view's pattern.
        query: what follows the `?`, by name; of a name given twice, the last.
        several: the same, with every value of a name.
    """

    site: "Site"
    key: str
    root: Root
    store: Store
    parts: Mapping[str, str]
    query: Mapping[str, str]
    several: Mapping[str, Sequence[str]]

    @property
    def model_server(self) -> ModelServer:
        """What answers about the models of the root."""
        return self.site.model_servers[self.key]

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction on the store."""
        with self.store.session() as session:
            yield session

    def address(self, *parts: object) -> str:
        """The address of a page of this root."""
        return "/".join(("", self.key, *map(str, parts)))


@dataclasses.dataclass(frozen=True)
class View:
    """A page, at `/ROOT/` and its pattern; with `.json` behind it, what the page shows as JSON.

    Attributes:
        pattern: of its path, as aiohttp has it, such as `runs/{run}`.
        template: the file that lays it out.
        gather: what it shows, as plain JSON values. A UsageError of it is a page that is not
            there, another MillraceError one that says so.
    """

    pattern: str
    template: str
    gather: Callable[[Asked], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Content:
    """Bytes that a page refers to, such as a picture or a download."""

    body: bytes
    media_type: str
    filename: str = ""  # to be saved under, if not empty


@dataclasses.dataclass(frozen=True)
class File:
    """An address whose answer is no page: a picture, a log, a download."""

    pattern: str
    read: Callable[[Asked], Content]


@dataclasses.dataclass(frozen=True)
class Sent:
    """What a person sent by a form.

    Attributes:
        fields: by name; of a name given twice, the last.
        several: the same, with every value of a name.
        files: uploaded ones, by the form's name: their own name and their bytes.
    """

    fields: Mapping[str, str]
    several: Mapping[str, Sequence[str]]
    files: Mapping[str, tuple[str, bytes]]


@dataclasses.dataclass(frozen=True)
class Action:
    """What a button does, at `/ROOT/` and its pattern, by POST.

    Attributes:
        pattern: of its path.
        carry_out: does it; returns the address of the page to show then, or what that page shows.
        template: of the page that is the answer itself, where `carry_out` returns what it shows.
    """

    pattern: str
    carry_out: Callable[[Asked, Sent], str | dict[str, Any]]
    template: str = ""


class Site:
    """Some roots, each with its store and model server, which stay open until `close`."""

    def __init__(self, roots: Sequence[Root], target: str = "") -> None:
        """Open the stores; a model server starts when it is first asked.

        Args:
            roots: what is shown.
            target: HOST:PORT of a model server to ask instead.

        Raises:
            UsageError: a root is not there.
            StoreError: its store cannot be opened.
        """
        self.roots: dict[str, Root] = {}
        self.model_servers: dict[str, ModelServer] = {}
        self._stores: dict[str, Store] = {}
        for root in roots:
            key = self._new_key(root)
            self.roots[key] = root
            self._stores[key] = Store.of(root, must_exist=True)
            self.model_servers[key] = ModelServer(root, self._stores[key], target)

    def _new_key(self, root: Root) -> str:
        """The name of its folder, and of the one above that where it is the usual hidden one."""
        path = pathlib.PurePath(root.name)
        parts = [part.strip(".") for part in path.parts[-2:]]
        name = parts[-1] if not path.name.startswith(".") else "-".join(parts)
        key = re.sub(r"[^\w-]+", "-", name).strip("-") or "root"
        number = 2
        while key in self.roots:
            key, number = f"{key.removesuffix(f'-{number - 1}')}-{number}", number + 1
        return key

    def asked(
        self, key: str, parts: Mapping[str, str], several: Mapping[str, Sequence[str]]
    ) -> Asked:
        """What was asked of the root with that `key`.

        Raises:
            KeyError: there is none.
        """
        query = {name: values[-1] for name, values in several.items()}
        return Asked(self, key, self.roots[key], self._stores[key], parts, query, several)

    def close(self) -> None:
        """End the model servers, and close the stores."""
        for server in self.model_servers.values():
            server.close()
        for store in self._stores.values():
            store.close()
