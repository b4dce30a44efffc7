"""What several test files share: real sshd processes, small hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from small_host import SmallHost, why_no_small_host
from sshd import Sshd, why_not


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd on a few loopback addresses, for tests that do it no harm."""
    if reason := why_not():
        pytest.skip(reason)
    addresses = [f"127.0.0.{last}" for last in range(1, 6)]
    with Sshd(tmp_path_factory.mktemp("sshd"), addresses=addresses) as server:
        yield server


@pytest.fixture
def start_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Start an sshd of one's own: `start_sshd(config=["MaxSessions 1"])`. It ends with the test."""
    if reason := why_not():
        pytest.skip(reason)
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(Sshd(tmp_path_factory.mktemp("sshd"), **options))


@pytest.fixture
def small(tmp_path: Path) -> SmallHost:
    """An empty BusyBox host, which takes root."""
    if reason := why_no_small_host():
        pytest.skip(reason)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    return SmallHost(tmp_path / "root")
