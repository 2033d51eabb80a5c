"""The tables of docs/client.md, as the code has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from impasto.client.errors import STATUS_ERRORS
from impasto.client.settings import Settings
from impasto.client.settings.forms import Setting
from impasto.client.settings.values import LARGEST_MESSAGE, SETTINGS, value_of

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "client.md"


def page_with_tables(page: str) -> str:
    """The page with its tables as they are now, each between its marks."""
    for name, table in (("settings", settings_table()), ("errors", errors_table())):
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of the {name} -->")
        assert begin and end, f"docs/client.md has no marks for the {name}"
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def settings_table() -> str:
    """Every setting: constructor, environment, file, command line, what it must be, default and meaning."""
    header = ("argument", "environment", "file", "option", "what it must be", "default", "meaning")
    return _markdown(header, (_row(setting) for setting in SETTINGS))


def errors_table() -> str:
    """Every gRPC status and its exception."""
    rows = (
        (f"`{code.name}`", f"`{kind.__name__}`", _first_line(kind)) for code, kind in STATUS_ERRORS.items()
    )
    return _markdown(("status", "exception", "meaning"), rows)


def _row(setting: Setting) -> tuple[str, ...]:
    return (
        _code(_argument(setting)),
        _code(setting.variable),
        _code(setting.key),
        _code(setting.flag),
        setting.form.words,
        _default(setting),
        setting.meaning,
    )


def _argument(setting: Setting) -> str:
    group, _, member = setting.name.partition(".")
    if setting.name == "tls.enabled":
        return "tls=TlsOptions()"
    if member:
        kind = {"timeouts": "Timeouts", "tls": "TlsOptions", "retries": "Retries"}[group]
        return f"{'timeout' if group == 'timeouts' else group}={kind}({member}=)"
    assert group == "timeout" or group in {field.name for field in fields(Settings)}
    return setting.name


def _default(setting: Setting) -> str:
    value = value_of(Settings(), setting)
    if value is None or value == {}:
        return ""
    if value == LARGEST_MESSAGE:
        return "2 GiB - 1"
    if isinstance(value, bool):
        return str(value).lower()
    return "`inf`" if value == math.inf else f"{value:g}" if isinstance(value, float) else str(value)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0].removesuffix(".")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
