"""Renders the kustomizations under docker/kubernetes, so that tests need no `kubectl`.

The subset of kustomize that they use: `resources`, `components`, `namespace`, `configMapGenerator` from files (plain
names, `behavior: merge`), `patches` from files (strategic merge and JSON 6902), `images`. Any other field is refused.
A test compares the result with `kubectl kustomize` where that is installed.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

import yaml

Manifest = dict[str, Any]

_FIELDS: Final = {
    "apiVersion",
    "kind",
    "namespace",
    "resources",
    "components",
    "configMapGenerator",
    "patches",
    "images",
}
_MERGE_KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
"""The lists of a pod that merge by a key; a patch replaces all others."""


def render(directory: Path) -> list[Manifest]:
    """The manifests that `kubectl kustomize directory` prints, in the order of the files."""
    manifests: list[Manifest] = []
    _apply(directory, manifests)
    return manifests


def find(manifests: list[Manifest], kind: str, name: str = "impasto-serving") -> Manifest:
    """The one manifest of a kind and name."""
    (found,) = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def _apply(directory: Path, manifests: list[Manifest]) -> None:
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    if unknown := kustomization.keys() - _FIELDS:
        raise NotImplementedError(f"{directory}: {sorted(unknown)}")
    for resource in kustomization.get("resources", ()):
        path = directory / resource
        manifests.extend(render(path) if path.is_dir() else yaml.safe_load_all(path.read_text()))
    for component in kustomization.get("components", ()):
        _apply(directory / component, manifests)
    for generator in kustomization.get("configMapGenerator", ()):
        _generate(directory, generator, manifests)
    for patch in kustomization.get("patches", ()):
        _patch(yaml.safe_load((directory / patch["path"]).read_text()), patch.get("target"), manifests)
    if namespace := kustomization.get("namespace"):
        for manifest in manifests:
            if manifest["kind"] == "Namespace":
                manifest["metadata"]["name"] = namespace
            else:
                manifest["metadata"]["namespace"] = namespace
    for image in kustomization.get("images", ()):
        for manifest in manifests:
            _retag(manifest, image)


def _generate(directory: Path, generator: dict[str, Any], manifests: list[Manifest]) -> None:
    if generator["options"] != {"disableNameSuffixHash": True}:
        raise NotImplementedError(f"{directory}: generated names with a hash")
    data = {Path(file).name: (directory / file).read_text() for file in generator["files"]}
    if generator.get("behavior", "create") == "merge":
        find(manifests, "ConfigMap", generator["name"])["data"].update(data)
    else:
        metadata = {"name": generator["name"]}
        manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _patch(patch: Any, target: dict[str, str] | None, manifests: list[Manifest]) -> None:
    if target is None:
        target = {"kind": patch["kind"], "name": patch["metadata"]["name"]}
    matching = [
        manifest
        for manifest in manifests
        if manifest["kind"] == target["kind"]
        and target.get("name", manifest["metadata"]["name"]) == manifest["metadata"]["name"]
    ]
    if not matching:
        raise ValueError(f"the patch for {target} matches nothing")
    for manifest in matching:
        if isinstance(patch, list):
            for operation in copy.deepcopy(patch):
                _operate(manifest, operation)
        else:
            metadata = {key: value for key, value in patch["metadata"].items() if key != "name"}
            _merge(manifest, copy.deepcopy({**patch, "metadata": metadata}))


def _merge(base: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key in _MERGE_KEYS:
            by = _MERGE_KEYS[key]
            for item in value:
                same = next((one for one in old if one[by] == item[by]), None)
                if same is None:
                    old.append(item)
                else:
                    _merge(same, item)
        else:
            base[key] = value


def _operate(manifest: Manifest, operation: dict[str, Any]) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place: Any = manifest
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    kind = operation["op"]
    if isinstance(place, list):
        if kind != "add" or last != "-":
            raise NotImplementedError(f"{kind} at {operation['path']}")
        place.append(operation["value"])
    elif kind == "remove":
        del place[last]
    elif kind == "add" or (kind == "replace" and last in place):
        place[last] = operation["value"]
    else:
        raise NotImplementedError(f"{kind} at {operation['path']}")


def _retag(value: Any, image: dict[str, str]) -> None:
    if isinstance(value, list):
        for item in value:
            _retag(item, image)
    elif isinstance(value, dict):
        for item in value.values():
            _retag(item, image)
        name, _, tag = str(value.get("image", "")).rpartition(":")
        if name == image["name"]:
            value["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"
