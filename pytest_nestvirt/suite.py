"""The vocabulary of suites: everything that checks import, the embedded ones included.

Facts are read from `Machine` and `ManifestObject`, which the fixtures hand to a check; the functions here answer questions
across several facts or machines. `docs/suites.md` describes how a suite is written.
"""

from __future__ import annotations

from pytest_nestvirt.derived.consequence import blocked_without_nesting
from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.derived.guest_cpu import (
    cpu_of_definition,
    describe_cpu,
    describe_cpu_mode,
    gets_extension,
    is_given_the_host_cpu,
)
from pytest_nestvirt.derived.guest_definition import configured_cpu
from pytest_nestvirt.derived.guest_size import memory_of, processors_of
from pytest_nestvirt.derived.identity import contradiction, other_machine, same_system
from pytest_nestvirt.derived.kvm_features import lost_features
from pytest_nestvirt.derived.kvm_refusal import refusal_of_kvm
from pytest_nestvirt.derived.nested_default import kernel_default, on_by_default, shipped_default
from pytest_nestvirt.derived.nested_setting import (
    lost_at_boot,
    nested_after_boot,
    refused_at_load,
    switched_on_at_boot,
    unapplied_nesting,
    unapplied_shadow_vmcs,
)
from pytest_nestvirt.derived.pending_cpu import (
    lacking_extension,
    losing_extension,
    unapplied_extension,
    unapplied_model,
    withheld_by_host_model,
)
from pytest_nestvirt.derived.performance_claim import Claim, missed
from pytest_nestvirt.derived.runner import emulation_of, not_run_by_kvm, runner_of
from pytest_nestvirt.derived.runs import released, runs
from pytest_nestvirt.facts.kvm.device_access import Users
from pytest_nestvirt.facts.kvm.modprobe import Origin
from pytest_nestvirt.facts.libvirt.qemu import QemuProcess
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSION, EXTENSIONS, HOST_MODEL
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.facts.processor.cpu import Capable
from pytest_nestvirt.facts.providers.vsphere import ENABLED
from pytest_nestvirt.facts.system import host_validate
from pytest_nestvirt.facts.system.guest_setup import IMAGES
from pytest_nestvirt.facts.system.package_names import missing_packages
from pytest_nestvirt.manifests import virtual_machine, vm_class, vm_image
from pytest_nestvirt.manifests.cloud_config import HEADER
from pytest_nestvirt.manifests.manifest_object import API_VERSION, KINDS, ManifestObject
from pytest_nestvirt.manifests.virtual_machine import CLASS_REF, VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.marks import requirement
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.render import render
from pytest_nestvirt.observation.unknown import either, first_finding, known_or
from pytest_nestvirt.verdict import Blocked

__all__ = [
    "API_VERSION",
    "CLASS_REF",
    "ENABLED",
    "EXTENSION",
    "EXTENSIONS",
    "HEADER",
    "HOST_MODEL",
    "IMAGES",
    "KINDS",
    "Blocked",
    "Capable",
    "Claim",
    "Machine",
    "ManifestObject",
    "Origin",
    "QemuProcess",
    "Unobservable",
    "Users",
    "VirtualMachine",
    "VmClass",
    "VmImage",
    "blocked_without_nesting",
    "configured_cpu",
    "contradiction",
    "cpu_of_definition",
    "describe",
    "describe_cpu",
    "describe_cpu_mode",
    "either",
    "emulation_of",
    "first_finding",
    "gets_extension",
    "host_validate",
    "is_given_the_host_cpu",
    "kernel_default",
    "known_or",
    "lacking_extension",
    "losing_extension",
    "lost_at_boot",
    "lost_features",
    "memory_of",
    "missed",
    "missing_packages",
    "nested_after_boot",
    "not_run_by_kvm",
    "on_by_default",
    "other_machine",
    "processors_of",
    "refusal_of_kvm",
    "refused_at_load",
    "released",
    "render",
    "requirement",
    "runner_of",
    "runs",
    "same_system",
    "shipped_default",
    "switched_on_at_boot",
    "unapplied_extension",
    "unapplied_model",
    "unapplied_nesting",
    "unapplied_shadow_vmcs",
    "virtual_machine",
    "vm_class",
    "vm_image",
    "withheld_by_host_model",
]
