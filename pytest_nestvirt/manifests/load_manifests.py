"""From manifest files to the set of their objects."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_nestvirt.document import Document, DocumentError, load_documents, seen
from pytest_nestvirt.manifests.manifest_object import DEFAULT_NAMESPACE, GROUP, KINDS, ManifestObject, Written
from pytest_nestvirt.manifests.manifest_set import ManifestFile, ManifestSet
from pytest_nestvirt.manifests.references import ProviderObject, Surroundings
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.one_line import one_line

SILENT = frozenset(
    {
        "Host", "HostPool", "VMClone", "VMMigration", "VMNetworkAttachment", "VMPlacementPolicy", "VMSet",
        "VMSnapshot",
    }
)  # fmt: skip
"""VirtRigaud's kinds that the document says nothing of (config/crd/bases of the project)."""

_OTHERS = frozenset({"kubevirt.io", "vmoperator.vmware.com", "virtualization.deckhouse.io"})
"""Groups that have a VirtualMachine of their own. Any other group beside one of our kinds is a slip of the pen."""

_MOST_PROBLEMS = 50


class ManifestError(Exception):
    """Manifests that can't be used, one line for each problem: `FILE:LINE: field: what is wrong`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))[:_MOST_PROBLEMS]
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


def load_manifests(paths: Sequence[Path], surroundings: Surroundings | None = None) -> ManifestSet:
    """The objects of all files together; a file that is named twice counts once.

    Raises `ManifestError` for what keeps objects from being distinguished: files that are not YAML mappings, objects without
    kind, API version or name, the same object twice, and no object at all. Values that the API refuses are facts.
    """
    manifests, loader = ManifestSet(surroundings), _Loader()
    found = {path: loader.file(path) for path in _once(paths)}
    loader.refuse_duplicates()
    if paths and not loader.problems and not any(objects for objects, _ in found.values()):
        loader.problems.append(f"{paths[0]}: holds none of {', '.join(KINDS)}; expected VirtRigaud's manifests")
    if loader.problems:
        raise ManifestError(loader.problems)
    names = loader.names()
    manifests.files = tuple(
        ManifestFile(path, tuple(_object(item, names[id(item)], manifests) for item in objects), skipped)
        for path, (objects, skipped) in found.items()
    )
    manifests.providers.update(loader.providers)
    manifests.digest = loader.digest if paths else ""
    return manifests


def _once(paths: Sequence[Path]) -> Iterator[Path]:
    known: set[Path] = set()
    for path in paths:
        real = path.absolute()
        if real not in known:
            known.add(real)
            yield path


class _Loader:
    """What was found so far in the files of one set."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.items: list[Written] = []
        self.providers: dict[tuple[str, str], ProviderObject] = {}
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what the files say, independent of comments and key order."""
        return self._digest.hexdigest()

    def file(self, path: Path) -> tuple[tuple[Written, ...], tuple[str, ...]]:
        """The objects of a file that can be judged, and what else it holds."""
        objects, skipped = [], []
        for item in self._written(path):
            try:
                note = self._skip(item)
                _refuse_nameless(item)
            except DocumentError as error:
                self.problems.append(str(error))
                continue
            if note is None:
                objects.append(item)
            elif note:
                skipped.append(note)
        self.items += objects
        return tuple(objects), tuple(skipped)

    def _written(self, path: Path) -> Iterator[Written]:
        try:
            documents = load_documents(path)
            items = [item for document in documents for item in _objects(document)]
        except DocumentError as error:
            self.problems.append(str(error))
            return
        for document in documents:
            self._digest.update(json.dumps(document.data, sort_keys=True).encode("utf-8", "surrogatepass"))
        yield from items

    def _skip(self, item: Written) -> str | None:
        """What a person reads of an object that is not judged; None for one that is. Raises `DocumentError`.

        Empty for a provider: like the others it is not judged, but it is used.
        """
        kind, version = _told(item, "kind"), _told(item, "apiVersion")
        group = version.partition("/")[0]
        if group == GROUP and kind == "Provider":
            self._remember_provider(item)
            return ""
        ours = group == GROUP or "virtrigaud" in group or (kind in KINDS and group not in _OTHERS)
        if ours and kind not in SILENT:
            return None
        name = item.value("metadata", "name")
        return one_line(f"{kind}{f'/{name}' if isinstance(name, str) else ''} (line {item.root.line})", 120)

    def _remember_provider(self, item: Written) -> None:
        name, kind = item.value("metadata", "name"), item.value("spec", "type")
        if isinstance(name, str) and isinstance(kind, str):
            key = (_namespace(item), name)
            self.providers[key] = ProviderObject(kind, f"{item.path.name}:{item.line('spec', 'type')}")

    def refuse_duplicates(self) -> None:
        """The same object twice: which of the two holds is not defined."""
        first: dict[tuple[str, str, str], Written] = {}
        for item in self.items:
            other = first.setdefault(_identity(item), item)
            if other is not item:
                kind, _, name = _identity(item)
                where = f"{one_line(str(other.path), 200)}:{other.root.line}"
                self.problems.append(str(item.error(f"{kind} {one_line(name)} is already defined at {where}")))

    def names(self) -> dict[int, str]:
        """What each object is called: `VMClass/nested`, with its namespace where two would share that name."""
        shared = Counter((kind, name) for kind, _, name in map(_identity, self.items))
        return {id(item): _name(*_identity(item), alone=shared[_identity(item)[::2]] == 1) for item in self.items}


def _name(kind: str, namespace: str, name: str, *, alone: bool) -> str:
    return one_line(f"{kind}/{name}" if alone else f"{kind}/{namespace}/{name}", 200)


def _objects(document: Document) -> Iterator[Written]:
    """The object of a document; those of a `List`, as `kubectl get -o yaml` prints one, each by itself."""
    items = document.root.node.entries.get("items")
    if str(document.data.get("kind", "")).endswith("List") and items is not None and isinstance(items.node.value, list):
        for item in items.node.entries.values():
            if not isinstance(item.node.value, dict):
                raise DocumentError(
                    document.path, item.line, ("items",), f"expected an object; seen {seen(item.node.value)}"
                )
            yield Written(document.path, item)
    else:
        yield Written(document.path, document.root)


def _told(item: Written, key: str) -> str:
    value = item.value(key)
    if isinstance(value, str) and value:
        return value
    expected = ", ".join(KINDS) if key == "kind" else f"{GROUP}/v1beta1"
    raise item.error("is missing" if value is None else f"expected {expected}; seen {seen(value)}", key)


def _refuse_nameless(item: Written) -> None:
    name = item.value("metadata", "name")
    if not isinstance(name, str) or not name:
        problem = "is missing" if name is None else f"expected text; seen {seen(name)}"
        raise item.error(f"{problem}; an object without a name cannot be referred to", "metadata", "name")


def _namespace(item: Written) -> str:
    namespace = item.value("metadata", "namespace")
    return namespace if isinstance(namespace, str) and namespace else DEFAULT_NAMESPACE


def _identity(item: Written) -> tuple[str, str, str]:
    return str(item.value("kind")), _namespace(item), str(item.value("metadata", "name"))


def _object(item: Written, name: str, manifests: ManifestSet) -> ManifestObject:
    kind, *key = _identity(item)
    place = (key[0], key[1])
    match kind:
        case "VMClass":
            manifests.classes[place] = VmClass(item, name, manifests)
            return manifests.classes[place]
        case "VMImage":
            manifests.images[place] = VmImage(item, name)
            return manifests.images[place]
        case "VirtualMachine":
            manifests.virtual_machines[place] = VirtualMachine(item, name, manifests)
            return manifests.virtual_machines[place]
        case _:
            return ManifestObject(item, name)
