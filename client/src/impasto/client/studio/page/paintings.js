/** The strip of paintings: the examples and one's own, one or several of them chosen, with their shares. */

import { call, TAB, upload } from "./api.js";
import { announce, h, icon, unique } from "./dom.js";
import { fileButton, nameOf, receiveDrops, thumbnail } from "./pictures.js";
import { on, ownJobs, pictureById, remember, store } from "./store.js";

export class Paintings {
  /** `previews` has each painting tried on the present photo, small, as soon as there is one. */
  constructor({ previews = false, onChange = () => {} } = {}) {
    this.own = [];
    this.chosen = new Map();
    this.onChange = onChange;
    this.asked = new Map();
    this.problem = h("p", { class: "problem", role: "alert" });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "Paintings" });
    this.shares = h("div", { class: "shares" });
    this.heading = h("h2", {}, "Paintings");
    this.element = h("section", { class: "paintings", "data-pastes": true }, this.heading, this.strip, this.problem);
    receiveDrops(this.element, (files) => this.add(files));
    this.element.addEventListener("impasto-files", (event) => this.add(event.detail));
    on("offer", () => this.#draw());
    if (previews) {
      on("photos", () => this.#try());
      on("offer", () => this.#try());
      on("job", ({ job }) => job.kind === "strip" && this.#draw());
    }
    this.#draw();
  }

  get all() {
    return [...(store.offer?.examples?.paintings ?? []), ...this.own];
  }

  get ids() {
    return [...this.chosen.keys()];
  }

  get weights() {
    return this.chosen.size > 1 ? [...this.chosen.values()] : undefined;
  }

  /** Choose paintings as a job names them. */
  set(ids, weights = null) {
    const known = ids.map((id) => pictureById(id)).filter(Boolean);
    for (const picture of known) if (!this.all.some((other) => other.id === picture.id)) this.own.push(picture);
    this.chosen = new Map(known.map((picture, place) => [picture.id, weights?.[place] ?? 1]));
    this.#draw();
    this.#drawShares();
    this.onChange();
  }

  async add(files) {
    this.problem.textContent = "";
    for (const file of files) {
      try {
        const picture = remember(await upload(file, file.name || "painting.png"));
        this.own.push(picture);
        this.set([...this.ids, picture.id], [...this.chosen.values(), 1]);
      } catch (error) {
        this.problem.textContent = `${file.name}: ${error.message}`;
      }
    }
  }

  #toggle(picture) {
    if (this.chosen.has(picture.id)) this.chosen.delete(picture.id);
    else this.chosen.set(picture.id, 1);
    announce(this.chosen.size === 1 ? "One painting chosen" : `${this.chosen.size} paintings chosen`);
    this.set(this.ids, [...this.chosen.values()]);
  }

  /** Ask once for each photo how all example paintings look on it. */
  async #try() {
    const photo = store.current;
    if (!photo?.id || !store.offer?.stylize?.models?.length || location.hash !== "#stylize") return this.#draw();
    if (!this.asked.has(photo.id)) {
      this.asked.set(photo.id, "asked");
      try {
        await call("api/jobs", { method: "POST", body: { kind: "strip", tab: TAB, fields: { content: photo.id } } });
      } catch {
        this.asked.delete(photo.id); // The paintings themselves do as well.
      }
    }
    return this.#draw();
  }

  tryNow() {
    this.#try();
  }

  #previewOf(picture) {
    const tried = ownJobs("strip").find((job) => job.fields?.content === store.current?.id);
    return tried?.strip?.find((one) => one.painting === picture.id || one.name === picture.name) ?? null;
  }

  #draw() {
    const tiles = this.all.map((picture) => this.#tile(picture));
    const focused = [...this.strip.children].findIndex((tile) => tile.contains(document.activeElement));
    const add = fileButton("Your own", { multiple: true, onFiles: (files) => this.add(files), look: "tile add", label: "Add your own paintings" });
    this.strip.replaceChildren(...tiles, add);
    if (focused >= 0) (this.strip.children[focused].querySelector("input") ?? this.strip.children[focused]).focus({ preventScroll: true });
    this.heading.textContent = this.#heading();
  }

  #heading() {
    if (this.chosen.size === 0) return "Choose a painting";
    return this.chosen.size === 1 ? "Painting" : `${this.chosen.size} paintings, mixed`;
  }

  #tile(picture) {
    const preview = this.#previewOf(picture);
    const pictures = preview ? [h("img", { src: preview.url, alt: "", class: "tried" }), h("span", { class: "inset" }, thumbnail(picture, 64))]
                             : [thumbnail(picture)];
    return h("button", { type: "button", class: "tile", "aria-pressed": String(this.chosen.has(picture.id)), title: picture.credit ?? nameOf(picture),
                         on: { click: () => this.#toggle(picture) } },
             ...pictures, h("span", { class: "chosen-mark", "aria-hidden": "true" }, icon("check")), h("span", { class: "tile-name" }, nameOf(picture)));
  }

  #drawShares() {
    if (this.chosen.size < 2) {
      this.shares.replaceChildren();
      return;
    }
    const rows = this.ids.map((id) => this.#share(id));
    this.shares.replaceChildren(h("fieldset", {}, h("legend", {}, "Shares"), ...rows.map((row) => row.element)));
    this.#tellShares(rows);
  }

  #share(id) {
    const name = unique("share");
    const told = h("output", { for: name });
    const range = h("input", { id: name, type: "range", min: "0", max: "2", step: "0.05", value: String(this.chosen.get(id)) });
    range.addEventListener("input", () => {
      this.chosen.set(id, Number(range.value));
      this.#tellShares(this.rows);
      this.onChange();
    });
    const element = h("div", { class: "share" }, h("label", { for: name }, nameOf(pictureById(id))), range, told);
    return { id, told, range, element };
  }

  #tellShares(rows) {
    this.rows = rows;
    const total = [...this.chosen.values()].reduce((sum, share) => sum + share, 0) || 1;
    for (const { id, told, range } of rows) {
      told.textContent = `${Math.round((100 * this.chosen.get(id)) / total)} %`;
      range.setAttribute("aria-valuetext", told.textContent);
    }
  }
}
