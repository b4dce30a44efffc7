"""What cloud-init left behind on a machine: pure parsers of its status and of its log."""

from __future__ import annotations

import re

from pytest_nestvirt.observation.fact import Unobservable

_STATUS = re.compile(r"^status:\s*(?P<status>[a-z][a-z ]*?)\s*$", re.MULTILINE)
_HOSTNAME = re.compile(r"^hostname:\s*(?P<name>.*?)\s*$", re.MULTILINE)
_PLAIN_NAME = re.compile(r"(?P<quote>[\"']?)(?P<name>[A-Za-z0-9][A-Za-z0-9.-]{0,252})(?P=quote)(?:\s+#.*)?")


def parse_status(text: str, source: str) -> str:
    r"""`done`, `running`, `error`, `degraded`, `disabled`, `not run` from `cloud-init status`. Raises `Unobservable`.

    >>> parse_status("status: done\nboot_status_code: enabled-by-generator", "here")
    'done'
    """
    found = _STATUS.findall(text.replace("\r", ""))
    if len(found) != 1:
        raise Unobservable(source, f"not the output of cloud-init status: {text.strip()[:60]!r}")
    return str(found[0])


def parse_user_data_hostname(text: str, source: str) -> str:
    """The value of `hostname:` in a #cloud-config. Raises `Unobservable` where there is none, or several, or a template."""
    found = [_PLAIN_NAME.fullmatch(name) for name in _HOSTNAME.findall(text.replace("\r", ""))]
    if len(found) != 1 or found[0] is None:
        raise Unobservable(source, "has no single plain `hostname:`")
    return str(found[0]["name"])
