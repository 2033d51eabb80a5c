/** Elements without a framework: made by calls, never from strings, so no text can become markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. `on` holds listeners, `style` custom properties; null and false leave an attribute out.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [kind, listener] of Object.entries(value)) element.addEventListener(kind, listener);
    else if (name === "value" || name === "checked" || name === "files") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
}

const PATHS = {
  photo: "M4 5h16v14H4z M4 16l5-5 4 4 3-3 4 4 M15.5 9.5h.01",
  plus: "M12 5v14 M5 12h14",
  close: "M6 6l12 12 M18 6L6 18",
  down: "M12 4v11 M7 11l5 5 5-5 M5 20h14",
  stop: "M7 7h10v10H7z",
  go: "M8 5l11 7-11 7z",
  loupe: "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13 M15.5 15.5L20 20",
  compare: "M12 3v18 M4 6h5v12H4z M15 6h5v12h-5z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  brush: "M4 20c3 0 5-1 5-4l8-11 3 2-9 10c-1 3-4 4-7 3z",
  copy: "M9 9h11v11H9z M5 15H4V4h11v1",
  theme: "M12 4a8 8 0 1 0 0 16z M12 4a8 8 0 1 1 0 16",
  next: "M5 12h14 M13 6l6 6-6 6",
};

/** A drawn sign beside a word; screen readers pass over it. */
export function icon(name) {
  const path = svg("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": "1.7",
                             "stroke-linecap": "round", "stroke-linejoin": "round" });
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, path);
}

export function button(text, { sign = null, ...props } = {}) {
  return h("button", { type: "button", ...props }, sign && icon(sign), h("span", {}, text));
}

/** A button of a sign alone, whose name is read out and shown when pointed at. */
export function signButton(sign, name, props = {}) {
  return h("button", { type: "button", class: "sign", "aria-label": name, title: name, ...props }, icon(sign));
}

let last = 0;

export function unique(stem) {
  last += 1;
  return `${stem}-${last}`;
}

/** Tell a screen reader. The same text twice is told twice. */
export function announce(text) {
  const live = document.getElementById("live");
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

/** Replace an element's text only where it differs, so that nothing is selected away or read again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function seconds(count) {
  if (count < 0.95) return `${count.toFixed(1)} s`;
  if (count < 90) return `${Math.round(count)} s`;
  if (count < 5400) return `${Math.round(count / 60)} min`;
  return `${(count / 3600).toFixed(1)} h`;
}

export function pixels(width, height) {
  return `${width} × ${height}`;
}
