/** One of several, as cards or segments. */

import { h, unique } from "./dom.js";

export class Choice {
  /** `look` is "cards" or "segments"; `usual` is chosen by a form that names none, the first if it is left out. */
  constructor(title, options, { look = "cards", usual = null } = {}) {
    this.usual = usual;
    this.group = unique("choice");
    this.list = h("div", { class: look });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.element = h("fieldset", { class: "field" }, h("legend", {}, title), this.list, this.problem);
    this.offer(options);
  }

  offer(options) {
    const same = JSON.stringify(options) === this.offered;
    this.offered = JSON.stringify(options);
    if (same) return;
    this.inputs = options.map(({ value }, place) => Object.assign(h("input", { type: "radio", name: this.group, value: String(value), checked: place === 0 }), { worth: value }));
    this.list.replaceChildren(...options.map(({ title, lines = [] }, place) =>
      h("label", {}, this.inputs[place], h("span", {}, h("strong", {}, title), ...lines.filter(Boolean).map((line) => h("small", {}, line))))));
  }

  /** Undefined for the usual one, which need not be named. */
  get value() {
    const worth = this.inputs.find((input) => input.checked)?.worth;
    return worth === this.usual ? undefined : worth;
  }

  set(value) {
    const named = value ?? this.usual;
    const wanted = named === null ? this.inputs[0] : this.inputs.find((input) => input.worth === named);
    if (wanted) wanted.checked = true;
  }

  fail(text) {
    this.problem.textContent = text;
  }
}

/** The recipes of a job; `usual` is what a job without one takes. */
export function recipeChoice(recipes, usual) {
  const options = recipes.map(({ name, title, about }) => ({ value: name, title, lines: [about] }));
  return new Choice("Recipe", options, { usual });
}
