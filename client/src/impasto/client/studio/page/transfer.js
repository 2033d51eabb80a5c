/** The page that paints a photo by optimising its pixels, slower and in more detail than stylize. */

import { h, unique } from "./dom.js";
import { Fields, flag, more, slider } from "./fields.js";
import { MaskField } from "./mask.js";
import { Paintings } from "./paintings.js";
import { failStyles, fillStyles, modelField, styleValues } from "./stylize.js";
import { Workbench } from "./work.js";

const OWN = "own";
const SHOWN = ["content", "style", "weights", "mask", "pyramid", "preserve_color", "model"];

export function transferPage() {
  const paintings = new Paintings({ onChange: () => bench.changed() });
  const bench = new Workbench({
    kind: "transfer", title: "Transfer", lead: "Paint a photo like a painting, slowly and in detail.", verb: "Paint",
    curves: { content: "Content loss", style: "Style loss" }, below: paintings.element,
    build: (offer, workbench) => new TransferForm(offer, workbench, paintings),
  });
  return bench;
}

class TransferForm {
  constructor(offer, bench, paintings) {
    this.paintings = paintings;
    this.recipes = offer.transfer.recipes ?? [];
    this.fields = new Fields(() => {
      this.#noteRecipe();
      bench.changed();
    });
    const suggested = offer.transfer.models[0].suggested ?? {};
    this.mask = new MaskField(bench, () => bench.changed());
    this.recipe = this.#recipeChoice();
    this.element = h("div", { class: "form" }, paintings.shares, this.recipe, modelField(this.fields, offer.transfer.models),
      this.fields.add("pyramid", slider({ title: "Sizes, coarse to fine", help: "More sizes give better large forms.", least: 1, most: 5, step: 1, initial: 1 })),
      this.fields.add("mask", this.mask),
      this.fields.add("preserve_color", flag({ title: "Keep the photo's colours" })));
    this.extra = more(this.fields, offer.fields.transfer, { skip: SHOWN, suggested });
    if (this.recipes.length) this.#take(this.recipes[0]);
  }

  values() {
    return { ...styleValues(this.paintings), ...this.fields.values() };
  }

  fill(values) {
    this.fields.fill(values);
    if (values.style !== undefined) fillStyles(this.paintings, values);
    this.#noteRecipe();
  }

  fail(field, text) { return failStyles(this.paintings, field, text) || this.fields.fail(field, text); }

  clear() {
    this.paintings.problem.textContent = "";
    this.fields.clear();
  }

  lacks() { return this.paintings.ids.length ? null : "Choose a painting first."; }
  photoChanged(photo) { this.mask.photoChanged(photo); }

  #recipeChoice() {
    if (!this.recipes.length) return null;
    const group = unique("recipe");
    this.radios = this.recipes.map(() => h("input", { type: "radio", name: group }));
    this.radios.forEach((radio, place) => radio.addEventListener("change", () => this.#take(this.recipes[place])));
    this.ownChoice = h("span", { class: "own" }, "changed by you");
    return h("fieldset", { class: "field" }, h("legend", {}, "Recipe ", this.ownChoice), h("div", { class: "cards" }, ...this.recipes.map((recipe, place) =>
      h("label", {}, this.radios[place], h("span", {}, h("strong", {}, recipe.name), h("small", {}, recipe.about))))));
  }

  /** A recipe is no more than values of fields, which one sees and may change. */
  #take(recipe) {
    const { mask, preserve_color: kept } = this.fields.values();
    const { mask: maskControl } = this;
    for (const [name, control] of this.fields.controls) {
      if (control !== maskControl && name !== "preserve_color") control.set(recipe.fields[name] ?? null);
    }
    if (kept === undefined && recipe.fields.preserve_color) this.fields.controls.get("preserve_color").set(true);
    this.#noteRecipe(mask);
  }

  #noteRecipe() {
    if (!this.recipes.length) return;
    const values = this.fields.values();
    const fits = this.recipes.findIndex(({ fields }) => Object.entries(fields).every(([name, value]) => String(values[name] ?? OWN) === String(value)));
    this.radios.forEach((radio, place) => { radio.checked = place === fits; });
    this.ownChoice.hidden = fits >= 0;
  }
}
