"""What a page is for those who use keys, cannot tell faint colours apart, or prefer the dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FOCUSED = """() => {
    const element = document.activeElement;
    const near = [element, element.closest("label"), element.parentElement, element.querySelector(".grip")];
    const seen = near.some((one) => one && getComputedStyle(one).outlineStyle !== "none");
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent;
    return [label ?? element.textContent, seen];
}"""
_CONTRAST = """() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const probe = document.body.appendChild(document.createElement("p"));
    const of = (name) => { probe.style.color = `var(--${name})`; return light(getComputedStyle(probe).color); };
    const pairs = ["ink", "soft", "accent", "bad", "good"].flatMap((text) => [[text, "paper"], [text, "card"]]);
    pairs.push(["on-ink", "ink-button"], ["ink", "accent-wash"], ["soft", "wall"], ["soft", "line"]);
    const least = Math.min(...pairs.map(([one, other]) => {
        const [a, b] = [of(one), of(other)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }));
    probe.remove();
    return least;
}"""


NAMED = frozenset(
    (
        "button",
        "link",
        "slider",
        "checkbox",
        "radio",
        "textbox",
        "spinbutton",
        "combobox",
        "image",
        "progressbar",
    )
)
"""The roles of what must have a name."""


def least_contrast(page: Page) -> float:
    """The least contrast of a colour of text to one that it stands on, as WCAG reckons it; 4.5 is asked."""
    return float(page.evaluate(_CONTRAST))


def brightness(page: Page) -> float:
    """How bright the page's ground is, 0 to 1."""
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3 / 255


def roles_and_names(page: Page) -> list[tuple[str, str]]:
    """What a screen reader is told of, with its name."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node["ignored"]
    ]


def tab_to(page: Page, name: str) -> None:
    """Goes on by Tab until what is named has the focus; each place on the way shows it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        label, is_seen = page.evaluate(_FOCUSED)
        assert is_seen, f"the focus is not seen at {label}"
        if str(label).startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def drag_by_finger(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Touches the screen, moves in three steps, and lets go."""
    finger = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", start)
    for part in (1 / 3, 2 / 3, 1):
        send("touchMove", (start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])))
    send("touchEnd")
