"""What the kernel command line says about modules, as its two readers understand it: modprobe, and the kernel itself.

For a module that is loaded, kmod turns `kvm_intel.nested=1` into an option (libkmod/libkmod-config.c, kmod_config_parse_kcmdline); for
one that is built in, the kernel sets the parameter (kernel/params.c). Text is bytes decoded as Latin-1.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.facts.kvm.modprobe_lines import Directive
from pytest_nestvirt.facts.kvm.module_option import ModuleOption, split_parameters

COMMAND_LINE = "proc/cmdline"

Words = tuple[tuple[str, str | None], ...]

_KMOD_SPACE = "\t\n\v\f\r "
_MODPROBE_BLACKLIST = "modprobe.blacklist"
_KERNEL_BLACKLIST = "module_blacklist"
_INITCALL_BLACKLIST = "initcall_blacklist"

INITCALLS = {
    "kvm_intel": frozenset({"vmx_init", "vt_init"}),
    "kvm_amd": frozenset({"svm_init"}),
    "kvm_hv": frozenset({"kvmppc_book3s_init_hv"}),
    "kvm": frozenset({"kvm_x86_init", "kvm_s390_init"}),
}
"""Names of module_init() functions, which `initcall_blacklist=` skips, in loaded modules as well (init/main.c)."""


def options_for_modprobe(text: str) -> Iterator[ModuleOption]:
    """What modprobe adds to every file's options: words `MODULE.PARAMETER[=value]`, also those behind `--`."""
    for option in _options(_words_for_modprobe(text)):
        if "." not in option.name and option.module != "modprobe":
            yield option


def options_for_the_kernel(text: str) -> Iterator[ModuleOption]:
    """What the kernel sets of modules that are built in: up to `--`, behind which the words are those of init."""
    return _options(split_parameters(text))


def _words_for_modprobe(text: str) -> Words:
    return split_parameters(text, space=_KMOD_SPACE, end="")


def _options(words: Words) -> Iterator[ModuleOption]:
    for name, value in words:
        module, _, parameter = name.partition(".")
        if module and parameter:
            yield ModuleOption(module, parameter, value or "", COMMAND_LINE, 1, bare=value is None)


def blacklist_for_modprobe(text: str) -> Iterator[Directive]:
    """Modules of every `modprobe.blacklist=a,b`. kmod compares the names as they are written, so `kvm-intel` is no module's name."""
    for name, value in _words_for_modprobe(text):
        if name == _MODPROBE_BLACKLIST:
            for word in filter(None, (value or "").split(",")):
                yield Directive(_MODPROBE_BLACKLIST, word, "", COMMAND_LINE, 1)


def blacklist_for_the_kernel(text: str) -> Iterator[Directive]:
    """Modules of the last `module_blacklist=a,b`: the kernel refuses to load them, by that exact name (kernel/module/main.c)."""
    values = [value for name, value in split_parameters(text) if name == _KERNEL_BLACKLIST]
    for word in filter(None, (values[-1] or "").split(",") if values else ()):
        yield Directive(_KERNEL_BLACKLIST, word, "", COMMAND_LINE, 1)


def skipped_initcalls(text: str) -> Iterator[Directive]:
    """Modules whose initialization `initcall_blacklist=vmx_init` skips."""
    skipped = {
        word
        for name, value in split_parameters(text)
        if name == _INITCALL_BLACKLIST
        for word in (value or "").split(",")
    }
    for module, functions in INITCALLS.items():
        for function in sorted(functions & skipped):
            yield Directive(_INITCALL_BLACKLIST, module, function, COMMAND_LINE, 1)
