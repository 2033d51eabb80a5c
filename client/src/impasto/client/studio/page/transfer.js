/** The page that paints a photo by optimising its pixels, slower and in more detail than stylize. */

import { recipeChoice } from "./choice.js";
import { h } from "./dom.js";
import { Fields, flag, more } from "./fields.js";
import { MaskField } from "./mask.js";
import { Paintings } from "./paintings.js";
import { failStyles, fillStyles, modelField, styleValues } from "./stylize.js";
import { Workbench } from "./work.js";

const SHOWN = ["content", "style", "weights", "mask", "preserve_color", "recipe", "model"];

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
    this.fields = new Fields(() => bench.changed());
    this.mask = new MaskField(bench, () => bench.changed());
    const recipe = recipeChoice(offer.transfer.recipes, offer.fields.transfer.recipe.default);
    this.element = h("div", { class: "form" }, paintings.shares, this.fields.add("recipe", recipe), modelField(this.fields, offer.transfer.models),
      this.fields.add("mask", this.mask),
      this.fields.add("preserve_color", flag({ title: "Keep the photo's colours" })));
    this.extra = more(this.fields, offer.fields.transfer, { skip: SHOWN });
    recipe.set(offer.transfer.recipes[0].name);
  }

  values() {
    return { ...styleValues(this.paintings), ...this.fields.values() };
  }

  fill(values) {
    this.fields.fill(values);
    if (values.style !== undefined) fillStyles(this.paintings, values);
  }

  fail(field, text) { return failStyles(this.paintings, field, text) || this.fields.fail(field, text); }

  clear() {
    this.paintings.problem.textContent = "";
    this.fields.clear();
  }

  lacks() { return this.paintings.ids.length ? null : "Choose a painting first."; }
  photoChanged(photo) { this.mask.photoChanged(photo); }
}
