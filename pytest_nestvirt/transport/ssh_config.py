"""What ~/.ssh/config and the inventory together say about logging in to one host. Rules: ssh_config(5).

Honoured: Host, Match, HostName, User, Port, IdentityFile, IdentitiesOnly, CertificateFile, HostKeyAlias,
UserKnownHostsFile, ProxyJump, Include. Not honoured on purpose: StrictHostKeyChecking (only the inventory loosens the
check of host keys). What would lead to another machine and cannot be followed (ProxyCommand) is an error.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import paramiko

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.regular_file import read_regular_file
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.secret import child_environment

SSH_PORT = 22
_NESTED_INCLUDES = 16
_FILE_BYTES = 1024 * 1024
_LINES = 100_000
"""Of a configuration with all that it includes: files that include each other twice each would never end."""
_EXEC_SECONDS = 10.0
_DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_DEFAULT_KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)


@dataclass(frozen=True, slots=True)
class Login:
    """Where to connect to, as whom, with what."""

    hostname: str
    port: int
    user: str
    identities: tuple[Path, ...]
    """Private keys in the order in which they are tried."""
    required: bool
    """The inventory names the key: one that cannot be read is an error, not one key fewer to try."""
    identities_only: bool
    certificates: tuple[Path, ...]
    jumps: tuple[str, ...]
    """The hops that ProxyJump names, first hop first, as `[user@]host[:port]`."""
    known_hosts: tuple[Path, ...]
    known_as: str
    """The name under which known_hosts files have the host, as OpenSSH writes it there."""


class _Options(paramiko.SSHConfig):
    """paramiko's reader, without its expansion of tokens.

    It knows no `%%`, replaces `~` in the middle of a name, and asks the resolver for this machine's own name for every
    IdentityFile, needed or not.
    """

    TOKENS_BY_CONFIG_KEY = {  # noqa: RUF012 - as in the base class
        "match-exec": paramiko.SSHConfig.TOKENS_BY_CONFIG_KEY["match-exec"]
    }

    def _does_match(self, match_list: Sequence[Any], target_hostname: str, *state: Any) -> bool:  # noqa: ANN401 - paramiko's
        """Whether a Match line applies. Its commands are run here, last: paramiko's way reads our standard input."""
        plain = [criterion for criterion in match_list if criterion["type"] != "exec"]
        if plain and not super()._does_match(plain, target_hostname, *state):  # type: ignore[misc]
            return False
        for criterion in match_list:
            if criterion["type"] == "exec":
                options = state[-1]
                command = self._tokenize(options, target_hostname, "match-exec", criterion["param"])  # type: ignore[attr-defined]
                if _succeeds(command) == criterion["negate"]:
                    return False
        return bool(match_list)


def _succeeds(command: str) -> bool:
    """Run the command of a `Match exec`, as OpenSSH does (readconf.c, execute_in_shell). Raises ValueError."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration
            [shell, "-c", command],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            env=child_environment(),
            timeout=_EXEC_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"`Match exec {command}` did not end within {_EXEC_SECONDS:g} s") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"`Match exec {command}` cannot be run: {error}") from None
    return done.returncode == 0


def resolve_login(host: Host) -> Login:
    """Everything needed to log in to a host. Raises `TransportError` (configuration)."""
    address = host.ssh.address or host.name
    options = _lookup(host, address)
    hostname = (
        _expand(options.get("hostname", address), {"h": address, "n": address}) if "hostname" in options else address
    )
    port = host.ssh.port or _port(host, options.get("port"))
    user = host.ssh.user or options.get("user") or _local_user(host)
    tokens = {"h": hostname, "n": address, "p": str(port), "r": user, "u": _local_user(host), "d": str(at_home("~"))}
    named = tuple(options.get("identityfile") or _DEFAULT_IDENTITIES)
    return Login(
        hostname=hostname,
        port=port,
        user=user,
        identities=(at_home(host.ssh.identity),) if host.ssh.identity else _paths(named, tokens),
        required=host.ssh.identity is not None,
        identities_only=options.get("identitiesonly", "no").lower() == "yes",
        certificates=_certificates(host, options, tokens),
        jumps=_jumps(host, options, tokens),
        known_hosts=_known_hosts(host, options, tokens),
        known_as=known_as(options.get("hostkeyalias"), hostname, port),
    )


def known_as(alias: str | None, hostname: str, port: int) -> str:
    """The name of a host in known_hosts files: `name`, or `[name]:port` where the port is not 22."""
    if alias is not None:
        return alias
    return hostname.lower() if port == SSH_PORT else f"[{hostname.lower()}]:{port}"


def _lookup(host: Host, address: str) -> paramiko.SSHConfigDict:
    path = at_home(host.ssh.config or "~/.ssh/config")
    if host.ssh.config is None and not path.exists():
        return paramiko.SSHConfigDict()
    try:
        options = _Options.from_text("\n".join(_bounded(path)))
        found = options.lookup(address)
    except OSError as error:
        raise _config_error(host, Path(error.filename or path), f"cannot be read: {error.strerror or error}") from error
    except (paramiko.SSHException, ValueError, KeyError) as error:
        raise _config_error(host, path, str(error)) from error
    command = found.get("proxycommand")
    if command and "proxyjump" not in found and host.via is None:
        raise _config_error(host, path, "ProxyCommand is not supported")
    return found


def _config_error(host: Host, path: Path, what: str) -> TransportError:
    return TransportError(
        host.name,
        Stage.CONFIGURATION,
        f"{path}: {what}",
        "fix it, use ProxyJump, or set `via:` or `ssh_config:` for this host",
    )


def _bounded(path: Path) -> list[str]:
    lines = list(islice(_lines(path), _LINES + 1))
    if len(lines) > _LINES:
        raise ValueError(f"more than {_LINES} lines, those of included files counted each time")
    return lines


def _lines(path: Path, depth: int = 0) -> Iterator[str]:
    """The lines of a file with those of the files it includes in their place.

    An Include below a Host or Match line that does not match everything would apply to some hosts only. paramiko has
    no such thing as a block inside a block; ValueError rather than another meaning.
    """
    if depth > _NESTED_INCLUDES:
        raise ValueError("Include files include each other too deeply")
    everywhere = True
    block = ""
    for line in read_regular_file(path, _FILE_BYTES).decode("utf-8", "surrogateescape").splitlines():
        key, _, rest = re.sub(r"\s*=\s*|\s+", " ", line.strip(), count=1).partition(" ")
        if key.lower() in ("host", "match"):
            everywhere = (key.lower(), rest.strip()) in {("host", "*"), ("match", "all")}
            block = line
        if key.lower() != "include":
            yield line
            continue
        if not everywhere:
            raise ValueError(
                f"`{line.strip()}` below `{block.strip()}` is not supported: put it above the first Host line"
            )
        for name in shlex.split(rest):
            for included in sorted(glob.glob(_beside(path, name))):  # noqa: PTH207 - patterns may be absolute
                yield from _lines(Path(included), depth + 1)
        yield block or "Host *"


def _beside(path: Path, name: str) -> str:
    """An Include's pattern as an absolute one: relative names are relative to ~/.ssh (here: to the file)."""
    expanded = at_home(name)
    return str(expanded if expanded.is_absolute() else path.parent / expanded)


def at_home(path: str | Path) -> Path:
    """The path with `~` replaced. Unlike pathlib's, it leaves `~name` of an unknown account as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _expand(value: str, tokens: dict[str, str]) -> str:
    """Replace `%h` and its kind; `%%` is a percent sign, tokens that are not known stay as they are."""
    return re.sub(r"%(.)", lambda m: "%" if m[1] == "%" else tokens.get(m[1], m[0]), value)


def _paths(values: list[str] | tuple[str, ...], tokens: dict[str, str]) -> tuple[Path, ...]:
    expanded = [os.path.expandvars(_expand(value, tokens)) for value in values]
    return tuple(at_home(value) for value in expanded if value.lower() != "none")


def _certificates(host: Host, options: paramiko.SSHConfigDict, tokens: dict[str, str]) -> tuple[Path, ...]:
    if host.ssh.certificate is not None:
        return (at_home(host.ssh.certificate),)
    return _paths([options["certificatefile"]], tokens) if "certificatefile" in options else ()


def _known_hosts(host: Host, options: paramiko.SSHConfigDict, tokens: dict[str, str]) -> tuple[Path, ...]:
    if host.ssh.known_hosts:
        return tuple(map(at_home, host.ssh.known_hosts))
    mine = shlex.split(options["userknownhostsfile"]) if "userknownhostsfile" in options else _DEFAULT_KNOWN_HOSTS[:2]
    return _paths([*mine, *_DEFAULT_KNOWN_HOSTS[2:]], tokens)


def _jumps(host: Host, options: paramiko.SSHConfigDict, tokens: dict[str, str]) -> tuple[str, ...]:
    """`via` of the inventory takes precedence over ProxyJump."""
    value = options.get("proxyjump", "none")
    if host.via is not None or value.lower() == "none":
        return ()
    return tuple(_expand(jump.strip(), tokens) for jump in value.split(",") if jump.strip())


def _port(host: Host, value: str | None) -> int:
    if value is None:
        return SSH_PORT
    if not value.isascii() or not value.isdigit():
        raise TransportError(
            host.name, Stage.CONFIGURATION, f"Port {value} of the SSH configuration is not a number", "fix it"
        )
    return int(value)


def _local_user(host: Host) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise TransportError(
            host.name, Stage.CONFIGURATION, "the local user has no name", "set `user:` in the inventory"
        ) from error


@dataclass(frozen=True, slots=True)
class Jump:
    """One hop of a ProxyJump."""

    host: str
    user: str | None
    port: int | None


def parse_jump(spec: str) -> Jump:
    """Read `[user@]host[:port]`, `[user@][v6-address]:port` or `ssh://[user@]host[:port]`. Raises ValueError."""
    found = re.fullmatch(r"(?:ssh://)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@\[\]]+))(?::(\d+))?/?", spec)
    if found is None:
        raise ValueError(f"`{spec}` is not of the form [user@]host[:port]")
    user, bracketed, plain, port = found.groups()
    return Jump(bracketed or plain, user, int(port) if port else None)
