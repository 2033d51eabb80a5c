"""The compose files as `docker compose` sees them: merged, with the variables' defaults filled in.

The subset of the compose specification that these files use: mappings merge, scalars replace, `!reset` removes,
`${NAME:-default}` is the only interpolation. Whatever else an override does is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

DOCKER: Final = Path(__file__).resolve().parents[3] / "docker"

_DEFAULT: Final = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


class _Reset:
    """Stands where an override says `!reset`."""


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!reset", lambda _loader, _node: _Reset())


def load(*names: str) -> dict[str, Any]:
    """The compose model of `docker/<name>`, later files over earlier ones."""
    model: dict[str, Any] = {}
    for name in names:
        model = _merged(model, yaml.load((DOCKER / name).read_text(), Loader=_Loader))
    filled: dict[str, Any] = _filled(model)
    return filled


def _merged(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in override.items():
        old = result.get(key)
        if isinstance(value, _Reset):
            result.pop(key, None)
        elif isinstance(old, dict) and isinstance(value, dict):
            result[key] = _merged(old, value)
        elif isinstance(old, list) or (isinstance(value, list) and old is not None):
            raise NotImplementedError(f"{key}: compose appends lists; this reader does not")
        else:
            result[key] = value
    return result


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return _DEFAULT.sub(r"\1", value) if isinstance(value, str) else value
