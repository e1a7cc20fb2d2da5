"""Apprise URLs: which we use, and why not the others. They hold secrets, so no reason here repeats any part of one.

An operator sets them, by the import alone. Still they are the words of a file: none may run a command, show something
on this machine's desktop, or read or write its files.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from dispatch.errors import Malformed

if TYPE_CHECKING:
    from apprise import AppriseAsset
    from apprise.plugins import NotifyBase

APP = "Joint-defence dispatch"

NATIVE = frozenset({"http", "https"})
"""A provider's own address for a robot, which Apprise may know."""
ON_THIS_MACHINE = frozenset({"blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"})
"""Apprise's modules that speak to this machine's desktop, log or devices, under whatever schema."""
OTHER_CHANNELS = {"smpp": "text messages", "vapid": "Web Push, which the responder's page sets up"}
"""Modules of what is a channel of its own here, and its name."""
READS_FILES = frozenset({"keyfile", "subfile", "pgp", "pgpkey", "pgppub", "pgpprv"})
"""Parameters of any schema that name a file or have one written."""
FILE_TEMPLATES = frozenset({"discord", "slack", "telegram", "workflows"})
"""Modules whose parameter `template` names a file; for others it is a template at the provider."""


class NotUsable(Malformed):
    """An Apprise URL that is none that we use; the text says why and holds nothing of it."""


def usable(url: str) -> NotifyBase:
    """The service that `url` stands for, ready to send. Raises `NotUsable`.

    The first call loads the library's whole catalogue, which takes half a second.
    """
    schema, modules = url.partition("://")[0].lower(), _modules()
    if "://" not in url:
        raise NotUsable("is no Apprise URL; write it like ntfys://ntfy.example.org/topic")
    if schema not in NATIVE:
        _require_usable(modules.get(schema), url)
    from apprise import Apprise
    from apprise.exception import AppriseException

    try:
        service = Apprise.instantiate(url, asset=_asset())
    except (AppriseException, TypeError, ValueError, AttributeError):
        service = None
    if service is None:
        of = "an address of a service that it knows" if schema in NATIVE else f"what it takes for {schema}"
        raise NotUsable(f"cannot be used by Apprise: it is not {of}")
    _require_usable(_module_of(type(service)), url)
    return service


def _require_usable(module: str | None, url: str) -> None:
    if module is None:
        raise NotUsable("is of a kind that Apprise does not know")
    if module in ON_THIS_MACHINE:
        raise NotUsable(f"speaks to this machine itself ({module}), which nobody may by the roster")
    if module in OTHER_CHANNELS:
        raise NotUsable(f"is for {OTHER_CHANNELS[module]}, a channel of its own here")
    names = {_name(one) for one in re.split("[&;]", url.partition("?")[2])}
    files = names & (READS_FILES | ({"template"} if module in FILE_TEMPLATES else set()))
    if files:
        raise NotUsable(f"names a file of this machine ({', '.join(sorted(files))}), which nobody may by the roster")


def _name(parameter: str) -> str:
    """The name of a parameter as Apprise reads it: it splits at semicolons too, and forgives spaces and capitals."""
    return unquote_plus(parameter.partition("=")[0]).strip().lower().lstrip("+-:").strip()


def load() -> None:
    """Load the library's catalogue, before somebody waits for it."""
    _modules()


@cache
def _asset() -> AppriseAsset:
    """How we use the library: no plugins, files or images of its own, no redirects, and no word in the logs."""
    from apprise import AppriseAsset
    from apprise.common import PersistentStoreMode

    logger = logging.getLogger("apprise")
    logger.propagate = False  # it names topics and addresses
    logger.addHandler(logging.NullHandler())
    return AppriseAsset(
        app_id=APP,
        app_desc=APP,
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        storage_mode=PersistentStoreMode.MEMORY,
    )


@cache
def _modules() -> dict[str, str]:
    """For each schema of the catalogue the module it comes from."""
    _asset()
    from apprise import Apprise
    from apprise.manager_plugins import NotificationManager

    Apprise.instantiate("json://localhost")  # has the catalogue loaded
    manager = NotificationManager()  # type: ignore[no-untyped-call]
    schemas = manager.schemas(include_disabled=True)  # type: ignore[no-untyped-call]
    return {schema: module for schema in schemas if (module := _module_of(manager[schema])) is not None}


def _module_of(service: type) -> str | None:
    """Its module in Apprise's catalogue; None for one that somebody else has added."""
    path = service.__module__.split(".")
    return path[2] if path[:2] == ["apprise", "plugins"] else None
