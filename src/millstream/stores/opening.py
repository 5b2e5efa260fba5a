"""From a tracking URI to the store it names."""

from __future__ import annotations

import configparser
import importlib
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from millstream import settings
from millstream.errors import InvalidValue, Unauthenticated
from millstream.plugins import plugins
from millstream.stores.contract import Store

DATABASE_NAME = "millstream.db"
DEFAULT_URI = "mlruns"
_PLUGINS = "millstream.store"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):")
# Brings MLflow's file store into a new store, by name because it is built on stores itself.
_FOLDER_IMPORT = "millstream.interop.mlruns"
IMPORTED = ".millstream-imported"  # written into the folder when all of it has arrived


def scheme_of(uri: str) -> str:
    """The scheme of a tracking URI in lower case, ``""`` for a path (also one with a Windows drive)."""
    found = _SCHEME.match(uri)
    if not found or len(found.group("scheme")) == 1:
        return "databricks" if uri == "databricks" else ""
    return found.group("scheme").lower()


def open_store(uri: str, artifact_root: str | None = None) -> Store:
    """The store that a tracking URI names.

    A folder or ``file:`` keeps an embedded store and the artifacts inside it; ``sqlite:///`` and ``postgresql://``
    open a database, whose new experiments keep their files under ``artifact_root`` (``mlruns`` beside the program
    unless given or set); ``http(s)://`` speaks to a server; ``databricks`` and ``databricks://profile`` to a workspace.
    Other schemes come from plug-ins under the entry-point group ``millstream.store``.

    Raises InvalidValue for a URI that names none of these, and what opening the store itself raises.
    """
    scheme = scheme_of(uri)
    if scheme in ("", "file"):
        return _open_folder(uri, artifact_root)
    if scheme in ("http", "https"):
        from millstream.stores.http.store import HttpStore

        return HttpStore(uri)
    if scheme == "databricks":
        return _open_databricks(uri)
    if scheme.partition("+")[0] in ("sqlite", "postgresql", "postgres"):
        from millstream.stores.sql.store import SqlStore

        root = artifact_root or settings.ARTIFACT_ROOT.get() or str(Path(DEFAULT_URI).absolute())
        return SqlStore(uri, root)
    for plugin in plugins(_PLUGINS, "mlflow.tracking_store"):
        if plugin.name == scheme:
            store = plugin.load()(uri, artifact_root)
            if isinstance(store, Store):
                return store
            raise InvalidValue(
                f"the plug-in {plugin.distribution} offers {scheme}: with a contract that is not ours",
                hint="plug-ins under millstream.store return a millstream.stores.contract.Store",
            )
    raise InvalidValue(
        f"the tracking URI {uri!r} names no kind of store that is known here",
        hint="use a folder, sqlite:///file.db, postgresql://…, http(s)://… or databricks; for a plug-in, install it",
    )


def folder_of(uri: str) -> Path:
    """The folder that a path or a ``file:`` URI names. Raises InvalidValue for one on another host."""
    if scheme_of(uri) != "file":
        return Path(uri).expanduser().absolute()
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise InvalidValue(f"{uri!r} names a folder on another host", hint="write file:///path, with three slashes")
    return Path(unquote(parts.path) or ".").absolute()


def _open_folder(uri: str, artifact_root: str | None) -> Store:
    from millstream.stores.sql.store import SqlStore

    folder = folder_of(uri)
    database = folder / DATABASE_NAME
    if folder.exists() and not folder.is_dir():
        raise InvalidValue(f"{folder} is a file, not a folder", hint=f"for a database write sqlite:///{folder}")
    store = SqlStore(f"sqlite:///{database}", artifact_root or str(folder), known_as=uri)
    if not (folder / IMPORTED).exists() and any(folder.glob("*/meta.yaml")):
        importlib.import_module(_FOLDER_IMPORT).import_folder(folder, store)
    return store


def _open_databricks(uri: str) -> Store:
    from millstream.stores.http.store import HttpStore
    from millstream.stores.http.transport import Transport

    host, token = databricks_credentials(urlsplit(uri).netloc or None)
    return HttpStore(uri, Transport(host, token=token))


def databricks_credentials(profile: str | None) -> tuple[str, str]:
    """Host and token: of the environment, or of a profile in the configuration file of Databricks' command line."""
    if (
        profile is None
        and (host := os.environ.get("DATABRICKS_HOST"))
        and (token := os.environ.get("DATABRICKS_TOKEN"))
    ):
        return host if "://" in host else f"https://{host}", token
    path = Path(os.environ.get("DATABRICKS_CONFIG_FILE", "~/.databrickscfg")).expanduser()
    name = profile or os.environ.get("DATABRICKS_CONFIG_PROFILE", "DEFAULT")
    parser = configparser.ConfigParser(default_section="")
    parser.read(path)
    try:
        return parser[name]["host"].rstrip("/"), parser[name]["token"]
    except KeyError:
        raise Unauthenticated(
            f"there are no credentials for the Databricks profile {name!r}",
            hint=f"set DATABRICKS_HOST and DATABRICKS_TOKEN, or write host and token under [{name}] in {path}",
        ) from None
