"""What people have told pip about package indexes, told to uv, which reads none of it.

Environment variables come first, then the configuration files in pip's order
(https://pip.pypa.io/en/stable/topics/configuration/). What uv's own variables say wins over both.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["uv_variables"]

# pip's option → uv's variable, and what is put between several values there.
_OPTIONS: dict[str, tuple[str, str]] = {
    "index-url": ("UV_DEFAULT_INDEX", ""),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", ""),
    "cert": ("SSL_CERT_FILE", ""),
}
_OLD_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def uv_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv look where pip would, for a process with ``environment``."""
    found: dict[str, str] = {}
    options = dict(_from_files(environment))
    for option in _OPTIONS:
        value = environment.get(f"PIP_{option.replace('-', '_').upper()}")
        if value is not None:
            options[option] = value
    for option, (variable, between) in _OPTIONS.items():
        values = options.get(option, "").split()
        if not values or variable in environment or _OLD_NAMES.get(variable, "") in environment:
            continue
        if option == "no-index" and values[0].lower() in ("0", "false", "no", "off"):
            continue
        found[variable] = between.join(values) if between else values[0]
    if "UV_INDEX" in found and "UV_INDEX_STRATEGY" not in environment:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # to pip, all indexes that it was given are equal
    if "SSL_CERT_FILE" in found and not os.path.exists(found["SSL_CERT_FILE"]):
        del found["SSL_CERT_FILE"]
    if not {"SSL_CERT_FILE", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"} & {*found, *environment}:
        found["UV_SYSTEM_CERTS"] = "true"  # those of an organisation count, as they do for pip
    return found


def _from_files(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if environment.get("PIP_CONFIG_FILE") == os.devnull:
        return
    home = Path(environment.get("HOME") or Path.home())
    files = [
        *(Path(folder, "pip", "pip.conf") for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
        Path(sys.prefix, "pip.conf"),
        Path(environment.get("PIP_CONFIG_FILE") or os.devnull),
    ]
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                yield from ((name.replace("_", "-"), value) for name, value in parser.items(section))
