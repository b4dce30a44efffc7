"""What several test files share: real sshd processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
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
