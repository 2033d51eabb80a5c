/** Form fields: a label, a control, a line of help, and a place for what is wrong. */

import { h, unique } from "./dom.js";
import { pictureField } from "./pictures.js";
import { pictureById } from "./store.js";

const TITLES = {
  octave_scale: "Octave scale", octaves: "Octaves", steps: "Steps", step_size: "Step size", tile: "Tile", seed: "Seed",
  max_side: "Longest side painted", megapixels: "Megapixels instead of a factor", size: "Fit into width, height", style_scale: "Size of the strokes",
  style_weight: "Weight of the style", content_weight: "Weight of the content", total_variation_weight: "Smoothness",
  learning_rate: "Learning rate", style_layers: "Style layers", content_layers: "Content layers", epochs: "Epochs",
  steps_per_epoch: "Steps per epoch", pyramid: "Sizes, coarse to fine", keep_size: "Keep the photo's size", start: "Begin with",
  preserve_color: "Keep the photo's colours", guide: "Guide",
};

export function titleOf(name) {
  return TITLES[name] ?? name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
}

/** Fields by name, with their values as a job takes them; those left alone are left out. */
export class Fields {
  constructor(onChange = () => {}) {
    this.controls = new Map();
    this.onChange = onChange;
  }

  add(name, control) {
    this.controls.set(name, control);
    control.element.addEventListener("input", () => this.onChange());
    control.element.addEventListener("change", () => this.onChange());
    return control.element;
  }

  values() {
    const values = {};
    for (const [name, control] of this.controls) if (control.value !== undefined) values[name] = control.value;
    return values;
  }

  fill(values) {
    for (const [name, control] of this.controls) control.set(values[name] ?? null);
  }

  /** Say at its field what is wrong. Returns whether the field is here. */
  fail(name, text) {
    const control = this.controls.get(name);
    if (!control?.fail) return false;
    control.fail(text);
    control.element.closest("details")?.setAttribute("open", "");
    control.focus?.();
    return true;
  }

  clear() {
    for (const control of this.controls.values()) control.fail?.("");
  }
}

/** Lay out a control with its label; `read` gives its value, `write` sets one, null being none. */
function fieldOf({ title, help = "", input, read, write, beside = [], row = false }) {
  const id = input.id || unique("field");
  input.id = id;
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "alert" });
  const hint = help ? h("p", { class: "help", id: `${id}-help` }, help) : null;
  const described = [hint && `${id}-help`, `${id}-problem`].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", described);
  const label = h("label", { for: id }, title);
  const line = row ? h("div", { class: "check" }, input, label) : h("div", { class: "line" }, label, ...beside);
  return {
    element: h("div", { class: "field" }, line, !row && input, hint, problem),
    get value() { return read(); },
    set: write,
    fail(text) {
      problem.textContent = text;
      input.setAttribute("aria-invalid", String(Boolean(text)));
    },
    focus: () => input.focus(),
  };
}

export function slider({ title, help, least, most, step, initial, words = (value) => String(value) }) {
  const told = h("output", {});
  const input = h("input", { type: "range", min: least, max: most, step });
  const tell = () => {
    told.textContent = words(Number(input.value));
    input.setAttribute("aria-valuetext", told.textContent);
  };
  const write = (value) => {
    input.value = String(value ?? initial);
    tell();
  };
  input.addEventListener("input", tell);
  write(null);
  const read = () => Number(input.value);
  return fieldOf({ title, help, input, read, write, beside: [told] });
}

export function number({ title, help, least, most, whole = false, usual = null }) {
  const input = h("input", { type: "number", inputmode: whole ? "numeric" : "decimal", min: least, max: most, step: whole ? 1 : "any",
                             placeholder: usual === null ? "" : String(usual) });
  const read = () => (input.value === "" ? (input.validity.badInput ? null : undefined) : Number(input.value));
  return fieldOf({ title, help, input, read, write: (value) => { input.value = value === null ? "" : String(value); } });
}

export function text({ title, help, usual = "", parse = (given) => given, write = String }) {
  const input = h("input", { type: "text", placeholder: usual, spellcheck: "false", autocomplete: "off" });
  const read = () => (input.value.trim() === "" ? undefined : parse(input.value.trim()));
  return fieldOf({ title, help, input, read, write: (value) => { input.value = value === null ? "" : write(value); } });
}

export function flag({ title, help, usual = false }) {
  const input = h("input", { type: "checkbox", checked: usual });
  const read = () => (input.checked === usual ? undefined : input.checked);
  return fieldOf({ title, help, input, read, write: (value) => { input.checked = value ?? usual; }, row: true });
}

export function select({ title, help, choices, usual }) {
  const input = h("select", {}, ...choices.map((choice) => h("option", { value: choice }, String(choice))));
  const write = (value) => { input.value = value ?? usual ?? choices[0]; };
  write(null);
  const read = () => (input.value === usual ? undefined : input.value);
  return fieldOf({ title, help, input, read, write });
}

export function picture({ title, help, text: words = "Choose a picture" }) {
  let heard = () => {};
  const field = pictureField({ text: words, onChange: () => heard() });
  const problem = h("p", { class: "problem", role: "alert" });
  const element = h("div", { class: "field", role: "group", "aria-label": title }, h("span", { class: "label" }, title),
                    help && h("p", { class: "help" }, help), field.element, problem);
  const set = (id) => field.set(id === null ? null : pictureById(id));
  heard = () => element.dispatchEvent(new Event("change"));
  return { element, get value() { return field.value; }, set, fail: (told) => { problem.textContent = told; } };
}

/** A word out of a few, or a picture of one's own, which takes its place. */
function wordOrPicture({ title, help, words, usual }) {
  const word = select({ title, help, choices: words, usual });
  const own = pictureField({ text: "or a picture", onChange: () => word.element.dispatchEvent(new Event("change")) });
  word.element.append(own.element);
  return {
    element: word.element,
    get value() { return own.value ?? word.value; },
    set(value) {
      const isWord = value === null || words.includes(value);
      own.set(isWord ? null : pictureById(value));
      word.set(isWord ? value : null);
    },
    fail: word.fail,
    focus: word.focus,
  };
}

const numbers = (given) => given.split(/[\s,;]+/).filter(Boolean).map((one) => (Number.isNaN(Number(one)) ? one : Number(one)));
const layers = (given) => Object.fromEntries(given.split(/[\s,;]+/).filter(Boolean).map((one) => {
  const [name, weight] = one.split("=");
  return [name, weight === undefined ? 1 : Number(weight)];
}));
const layersText = (given) => Object.entries(given).map(([name, weight]) => (weight === 1 ? name : `${name}=${weight}`)).join(", ");

/** A control for a field as the server tells of it. */
function fieldFrom(name, told, suggested = undefined) {
  const title = titleOf(name);
  const usual = suggested ?? told.default;
  const common = { title, help: told.help };
  const shown = usual === null || usual === undefined ? "" : usual;
  switch (told.type) {
    case "integer": return number({ ...common, least: told.least, most: told.most, whole: true, usual: usual ?? null });
    case "number": return number({ ...common, least: told.least, most: told.most, usual: usual ?? null });
    case "flag": return flag({ ...common, usual: Boolean(told.default) });
    case "choice": return select({ ...common, choices: told.choices, usual: told.default });
    case "integers":
    case "numbers": return text({ ...common, usual: Array.isArray(shown) ? shown.join(", ") : "", parse: numbers, write: (list) => list.join(", ") });
    case "layers": return text({ ...common, usual: shown && typeof shown === "object" ? layersText(shown) : "", parse: layers, write: layersText });
    case "picture": return told.choices?.length ? wordOrPicture({ ...common, words: told.choices, usual: told.default }) : picture(common);
    default: return text({ ...common, usual: String(shown) });
  }
}

/** The fields that a page does not show itself, folded. */
export function more(fields, told, { skip = [], suggested = {} } = {}) {
  const names = Object.keys(told).filter((name) => !skip.includes(name) && told[name].type !== "pictures");
  if (!names.length) return null;
  return h("details", { class: "more" }, h("summary", {}, "More"),
           ...names.map((name) => fields.add(name, fieldFrom(name, told[name], suggested[name]))));
}
