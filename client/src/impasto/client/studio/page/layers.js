/** The layers of a served network, from shallow to deep, each with what it draws and a weight. */

import { h, unique } from "./dom.js";

export class Layers {
  constructor(model) {
    this.usual = Object.fromEntries(usualLayers(model));
    this.problem = h("p", { class: "problem", role: "alert" });
    this.rows = model.layers.map((layer) => this.#row(layer));
    this.list = h("div", { class: "layer-list" }, ...grouped(this.rows));
    this.element = h("fieldset", { class: "field layers" }, h("legend", {}, "Layers"),
                     h("p", { class: "help" }, "From strokes to shapes. Deeper ones draw larger things."),
                     this.list, this.problem);
    this.set(null);
  }

  get isEmpty() {
    return !this.rows.some((row) => row.box.checked);
  }

  /** The chosen layers with their weights; left out where they are the model's own. */
  get value() {
    const chosen = Object.fromEntries(this.rows.filter((row) => row.box.checked).map((row) => [row.name, Number(row.weight.value || 1)]));
    return JSON.stringify(chosen) === JSON.stringify(this.#inOrder(this.usual)) ? undefined : chosen;
  }

  set(given) {
    const layers = given === null ? this.usual : asWeights(given);
    for (const row of this.rows) {
      row.box.checked = row.name in layers;
      row.weight.value = String(layers[row.name] ?? 1);
      row.weight.disabled = !row.box.checked;
    }
  }

  /** Scroll the list to the first layer that is chosen. */
  reveal() {
    const first = this.rows.find((row) => row.box.checked);
    if (first) this.list.scrollTop += first.element.getBoundingClientRect().top - this.list.getBoundingClientRect().top - 40;
  }

  fail(text) {
    this.problem.textContent = text;
  }

  focus() {
    this.rows[0].box.focus();
  }

  #inOrder(layers) {
    return Object.fromEntries(this.rows.filter((row) => row.name in layers).map((row) => [row.name, Number(layers[row.name])]));
  }

  #row({ name, draws }) {
    const id = unique("layer");
    const box = h("input", { type: "checkbox", id });
    const weight = h("input", { type: "number", step: "any", "aria-label": `Weight of ${name}`, class: "weight" });
    box.addEventListener("change", () => { weight.disabled = !box.checked; });
    const element = h("div", { class: "layer" }, box, h("label", { for: id }, name, draws && h("span", { class: "unseen" }, `, ${draws}`)), weight);
    return { name, draws, box, weight, element };
  }
}

/** The rows, with what they draw said once above those that draw it. */
function grouped(rows) {
  return rows.flatMap((row, place) => {
    const isNew = row.draws && row.draws !== rows[place - 1]?.draws;
    return isNew ? [h("p", { class: "layer-draws", "aria-hidden": "true" }, row.draws), row.element] : [row.element];
  });
}

function usualLayers(model) {
  const usual = model.suggested?.layers ?? model.default ?? [];
  return Array.isArray(usual) ? usual.map((one) => (Array.isArray(one) ? one : [one, 1])) : Object.entries(usual);
}

function asWeights(given) {
  if (!Array.isArray(given)) return given;
  return Object.fromEntries(given.map((one) => (Array.isArray(one) ? one : [one, 1])));
}
