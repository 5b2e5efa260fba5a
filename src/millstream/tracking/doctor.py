"""What to send along with a question, and signing in to Databricks."""

from __future__ import annotations

import configparser
import os
import platform
import sys
from pathlib import Path

from millstream._version import VERSION
from millstream.errors import InvalidValue, MillstreamError, Unauthenticated
from millstream.settings import SETTINGS
from millstream.tracking import stores

_LIBRARIES = (
    "alembic", "msgspec", "numpy", "obstore", "pandas", "psycopg", "pyarrow", "scikit-learn", "sqlalchemy",
    "urllib3", "uvicorn",
)
_MASK = "***"


def doctor(mask_envs: bool = False) -> None:
    """Print what there is to know about this installation: versions, addresses, settings, whether the store answers.

    Passwords and tokens are never shown; with ``mask_envs`` no value of an environment variable is.
    """
    for name, value in facts(mask_envs):
        print(f"{name}: {value}" if value is not None else f"{name}:")


def facts(mask_envs: bool = False) -> list[tuple[str, str | None]]:
    """Names and values of what :func:`doctor` prints; None for a heading of the indented names that follow."""
    from urllib.parse import urlsplit

    uri = stores.get_tracking_uri()
    found: list[tuple[str, str | None]] = [
        ("Millstream", f"{VERSION} in {Path(__file__).parents[1]}"),
        ("Python", f"{platform.python_version()} at {sys.executable}"),
        ("System", platform.platform()),
        ("Tracking URI", _without_password(uri)),
        ("Registry URI", _without_password(stores.get_registry_uri())),
        ("Store", _state(uri)),
        ("Environment variables", None),
    ]
    secrets = {variable for one in SETTINGS.values() if one.secret for variable in one.variables}
    for variable in sorted(os.environ):
        if variable.startswith(("MILLSTREAM_", "MLFLOW_")):
            value = os.environ[variable]
            hidden = mask_envs or variable in secrets or urlsplit(value).password is not None
            found.append((f"  {variable}", _MASK if hidden else value))
    found.append(("Libraries", None))
    from millstream.tracking.environment import installed_packages

    versions = {package.name: package.version for package in installed_packages(sys.path)}
    found += [(f"  {name}", versions[name]) for name in _LIBRARIES if name in versions]
    return found


def _without_password(uri: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return parts._replace(netloc=f"{parts.username}:{_MASK}@{parts.netloc.rpartition('@')[2]}").geturl()


def _state(uri: str) -> str:
    from millstream.operations import SearchExperiments
    from millstream.stores.opening import folder_of, scheme_of

    if scheme_of(uri) in ("", "file") and not folder_of(uri).exists():
        return "nothing is kept there yet"
    try:
        stores.store(uri).execute(SearchExperiments(max_results=1))
    except MillstreamError as error:
        return f"does not answer: {error.message}" + (f" ({error.hint})" if error.hint else "")
    return "answers"


def login(backend: str = "databricks", interactive: bool = True) -> None:
    """Keep runs in Databricks from now on, with the credentials of the environment or of its configuration file.

    When there are none, asks for host and token and writes them to that file. Raises Unauthenticated when it may not
    ask, and InvalidValue for a backend other than databricks.
    """
    if backend != "databricks":
        raise InvalidValue.of("backend", backend, "only 'databricks' has a login; for a server set its URI and a token")
    from millstream.stores.opening import databricks_credentials

    try:
        databricks_credentials(None)
    except Unauthenticated:
        if not interactive:
            raise
        _ask()
    stores.set_tracking_uri("databricks")


def _ask() -> None:
    import getpass

    host = input("Databricks host, such as https://….cloud.databricks.com: ").strip()
    token = getpass.getpass("Personal access token: ").strip()
    if not host or not token:
        raise Unauthenticated("no host or no token was given")
    path = Path(os.environ.get("DATABRICKS_CONFIG_FILE", "~/.databrickscfg")).expanduser()
    parser = configparser.ConfigParser(default_section="")
    parser.read(path)
    parser["DEFAULT"] = {"host": host if "://" in host else f"https://{host}", "token": token}
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        parser.write(file)
