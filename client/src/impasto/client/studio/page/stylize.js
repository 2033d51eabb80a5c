/** The page that paints a photo like a painting, in seconds. */

import { h } from "./dom.js";
import { Fields, flag, more, select, slider } from "./fields.js";
import { Paintings } from "./paintings.js";
import { Workbench } from "./work.js";

export function stylizePage() {
  const paintings = new Paintings({ previews: true, onChange: () => bench.changed() });
  const bench = new Workbench({
    kind: "stylize", title: "Stylize", lead: "Paint a photo like a painting, in seconds.", verb: "Paint",
    build: (offer, workbench) => new StylizeForm(offer, workbench, paintings), below: paintings.element,
  });
  bench.shown = () => paintings.tryNow();
  return bench;
}

class StylizeForm {
  constructor(offer, bench, paintings) {
    this.paintings = paintings;
    this.fields = new Fields(() => bench.changed());
    const told = offer.fields.stylize;
    this.element = h("div", { class: "form" }, paintings.shares,
      modelField(this.fields, offer.stylize.models),
      this.fields.add("strength", slider({ title: "Strength", least: 0, most: 1, step: 0.05, initial: 1, words: (value) => `${Math.round(value * 100)} %` })),
      this.fields.add("preserve_color", flag({ title: "Keep the photo's colours", help: "Only light and dark are painted." })));
    this.extra = more(this.fields, told, { skip: ["content", "style", "weights", "strength", "preserve_color", "model"] });
  }

  values() {
    return { ...styleValues(this.paintings), ...this.fields.values() };
  }

  fill(values) {
    this.fields.fill(values);
    fillStyles(this.paintings, values);
  }

  fail(field, text) { return failStyles(this.paintings, field, text) || this.fields.fail(field, text); }

  clear() {
    this.paintings.problem.textContent = "";
    this.fields.clear();
  }

  lacks() { return this.paintings.ids.length ? null : "Choose a painting first."; }
}

/** A choice among models, where there are several. */
export function modelField(fields, models) {
  const names = models.map((model) => model.name);
  return names.length > 1 && fields.add("model", select({ title: "Model", choices: names, usual: names[0] }));
}

export function styleValues(paintings) {
  return { style: paintings.ids, weights: paintings.weights };
}

export function fillStyles(paintings, values) {
  const ids = Array.isArray(values.style) ? values.style : values.style ? [values.style] : [];
  paintings.set(ids, values.weights ?? null);
}

export function failStyles(paintings, field, text) {
  if (field !== "style" && field !== "weights") return false;
  paintings.problem.textContent = text;
  return true;
}
