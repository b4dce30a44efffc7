"""Claim: that a POWER9 guest is not in POWER8 compatibility mode takes its own word, and no other word of its parent."""

from __future__ import annotations

import pytest
from recorded_machines import NESTED_HV, NOT_COLLECTED, Chain, Texts, domain, power, power9_chain, qemu
from suite_checks import verdict_on

from pytest_nestvirt.verdict import Verdict

SHOWN: dict[str, Texts] = {
    "POWER9": power("POWER9 (architected), altivec supported", native=False),
    "POWER8": power("POWER8 (architected), altivec supported", native=False),
    "nothing": {"proc/cpuinfo": NOT_COLLECTED},
}
ARGV = "/usr/libexec/qemu-kvm -name guest={} -accel kvm -machine pseries,cap-nested-hv=on"
ASKED: dict[str, tuple[str, str]] = {
    "POWER9": (ARGV + " -cpu host", NESTED_HV),
    "compat of -machine": (ARGV + ",max-cpu-compat=power8 -cpu host", NESTED_HV),
    "model of -cpu": (ARGV + " -cpu power8_v2.0", NESTED_HV),
    "option of -cpu": (ARGV + " -cpu host,compat=power8", NESTED_HV),
    "model of the definition": (
        ARGV + " -cpu host",
        NESTED_HV + "<cpu mode='host-model'><model>power8</model></cpu>",
    ),
}


def chain(level: int, shown: str, asked: str) -> Chain:
    """A chain with a guest that shows one thing, and whose parent asks for another."""
    argv, inside = ASKED[asked]
    machines = list(power9_chain())
    machines[level] = machines[level].having(SHOWN[shown])
    name = f"L{level}"
    machines[level - 1] = machines[level - 1].having({**qemu(argv.format(name)), **domain(name, inside)})
    return tuple(machines)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("level", [1, 2])
def test_power8_mode(level: int, shown: str, asked: str) -> None:
    """What it shows decides a no, what its parent asks for where it shows nothing; the two have to agree on a yes."""
    verdict, reason = verdict_on("rhel8", f"RHEL8-P9-NO-P8COMPAT-L{level}", chain(level, shown, asked))
    if shown == "POWER8" or (shown == "nothing" and asked != "POWER9"):
        assert verdict is Verdict.FAIL, reason
    elif shown == asked == "POWER9":
        assert verdict is Verdict.PASS, reason
    else:
        assert verdict is Verdict.INCONCLUSIVE, reason
