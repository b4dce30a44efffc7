"""Ubuntu: what the page says of an instance that is to host instances."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    EXTENSION,
    EXTENSIONS,
    HOST_MODEL,
    Machine,
    Unobservable,
    blocked_without_nesting,
    configured_cpu,
    cpu_of_definition,
    describe,
    either,
    lacking_extension,
    losing_extension,
    lost_features,
    not_run_by_kvm,
    refusal_of_kvm,
    render,
    requirement,
    unapplied_extension,
    unapplied_model,
    withheld_by_host_model,
)


@requirement("UBU-HOST-FIRST")
def test_host_is_ready_before_its_instance(l0: Machine, l1: Machine) -> None:
    assert l0.kvm.nested, f"nesting is off on {l0.name}; what {l1.name} lacks may follow from that"


@requirement("UBU-L1-FLAG")
def test_instance_shows_the_extension(l0: Machine, l1: Machine) -> None:
    shown = EXTENSIONS & l1.cpu.flags
    lacking = f"{l1.name} shows neither vmx nor svm"
    if not shown:
        blocked_without_nesting(l0, lacking)
    assert shown, lacking
    otherwise = not_run_by_kvm(l1)
    assert not otherwise, f"{l1.name} shows {render(shown)}, which is not that of its host: {otherwise}"
    refusal = refusal_of_kvm(l1)
    assert not refusal, f"{l1.name} shows {render(shown)}, and KVM does not work there: {refusal}"


@requirement("UBU-L1-FLAG-VENDOR")
def test_instance_shows_the_extension_of_its_host(l0: Machine, l1: Machine) -> None:
    due, shown = EXTENSION[l0.cpu.vendor], EXTENSIONS & l1.cpu.flags
    seen = f"{l1.name} shows {render(shown)} of vmx and svm, its host is {l0.cpu.vendor}"
    if not shown:
        blocked_without_nesting(l0, seen)
    assert shown == {due}, seen


@requirement("UBU-L1-CPU-MODE")
def test_cpu_gives_the_instance_the_extension(l0: Machine, l1: Machine) -> None:
    xml, extension = configured_cpu(l1), EXTENSION[l0.cpu.vendor]
    assert xml.cpu_elements <= 1, f"the definition of {l1.name} has {xml.cpu_elements} <cpu> elements"
    cpu = cpu_of_definition(xml)
    assert extension not in cpu.taken, f"<cpu> of {l1.name} takes {extension} away"
    fit = either(lambda: cpu.model == HOST_MODEL or cpu.offers(extension), lambda: extension in l1.cpu.flags)
    assert fit, f"{l1.name} is defined with the processor {cpu}, without {extension}"
    withheld = withheld_by_host_model(l1, extension)
    if withheld:
        blocked_without_nesting(l0, f"{l1.name}: {withheld}")
        # It may also run what it was started with before the edit, and host-model give it the extension next time.
        raise Unobservable(xml.source, f"{l1.name}: {withheld}: whether host-model is enough here is not known")


@requirement("UBU-L1-CPU-SAMPLE")
def test_host_model_is_checked_as_in_the_sample(l1: Machine) -> None:
    xml = configured_cpu(l1)
    # libvirt has the attribute since 3.2; definitions of older ones lack it.
    assert xml.cpu_mode != "host-model" or xml.cpu_check in {"", "partial"}, f"host-model with check={xml.cpu_check}"


@requirement("UBU-L1-RESTART")
def test_instance_runs_as_it_is_defined(l0: Machine, l1: Machine) -> None:
    assert l1.domain.running, f"the domain of {l1.name} is not running: {describe(l1, 'domain.state')}"
    extension = EXTENSION[l0.cpu.vendor]
    pending = unapplied_model(l1) or losing_extension(l1, extension)
    assert not pending, f"{l1.name}: {pending}"
    lacking = lacking_extension(l1, extension)
    if lacking:
        blocked_without_nesting(l0, f"{l1.name}: {lacking}")
    assert not unapplied_extension(l1, extension), f"{l1.name}: {lacking}"


@requirement("UBU-LIM-FEATURES")
def test_instance_lacks_features_of_its_host(l0: Machine, l1: Machine) -> None:
    assert lost_features(l0, l1), f"{l1.name} has every feature of virtualization that {l0.name} has"
