/** The page that lets a network dream on a photo, and shows the picture grow. */

import { recipeChoice } from "./choice.js";
import { h } from "./dom.js";
import { Fields, flag, more, number } from "./fields.js";
import { Layers } from "./layers.js";
import { modelField } from "./stylize.js";
import { Workbench } from "./work.js";

export function dreamPage() {
  const bench = new Workbench({
    kind: "dream", title: "Dream", lead: "Let a network draw what it sees. The picture grows as you look.", verb: "Dream",
    curves: { loss: "Loss, which rises" }, build: (offer, workbench) => new DreamForm(offer, workbench),
  });
  bench.shown = () => bench.made?.layers.reveal();
  return bench;
}

class DreamForm {
  constructor(offer, bench) {
    this.fields = new Fields(() => bench.changed());
    const [model] = offer.dream.models;
    const suggested = model.suggested ?? {};
    this.layers = new Layers(model);
    const usual = offer.fields.dream.recipe.default;
    const recipe = recipeChoice(offer.dream.recipes, usual);
    recipe.set(usual);
    this.element = h("div", { class: "form" },
      this.fields.add("layers", this.layers),
      modelField(this.fields, offer.dream.models),
      this.fields.add("recipe", recipe),
      this.fields.add("steps", number({ title: "Steps at each size", whole: true, least: 0, usual: suggested.steps ?? null })),
      this.fields.add("preserve_color", flag({ title: "Keep the photo's colours" })));
    this.extra = more(this.fields, offer.fields.dream, { skip: ["image", "layers", "steps", "preserve_color", "recipe", "model"], suggested });
  }

  values() { return this.fields.values(); }
  fill(values) { this.fields.fill(values); }
  fail(field, text) { return this.fields.fail(field, text); }
  clear() { this.fields.clear(); }
  lacks() { return this.layers.isEmpty ? "Choose a layer first." : null; }
}
