/** Where a photo is painted: drawn over it with mouse, finger or keys, or uploaded. */

import { upload } from "./api.js";
import { announce, button, h, unique } from "./dom.js";
import { pictureField } from "./pictures.js";
import { pictureById, remember } from "./store.js";

const MOST_SIDE = 1024;
const PAINTED = "rgb(255 80 40)";

export class MaskField {
  constructor(bench, onChange) {
    this.bench = bench;
    this.onChange = onChange;
    this.photo = null;
    this.canvas = null;
    this.problem = h("p", { class: "problem", role: "alert" });
    this.field = pictureField({ text: "Use a file", onChange });
    this.draw = button("Draw on the photo", { sign: "brush", class: "small", "aria-expanded": "false", on: { click: () => (this.isOpen ? this.#done() : this.#open()) } });
    this.tools = this.#makeTools();
    this.element = h("div", { class: "field mask", role: "group", "aria-label": "Mask" }, h("span", { class: "label" }, "Paint only a part"),
                     h("p", { class: "help" }, "White or drawn is painted; the rest of the photo stays."),
                     h("div", { class: "buttons" }, this.draw, this.field.element), this.tools, this.problem);
  }

  get isOpen() { return !this.tools.hidden; }
  get value() { return this.field.value; }

  set(id) {
    this.field.set(id === null || id === undefined ? null : pictureById(id));
  }

  fail(text) {
    this.problem.textContent = text;
  }

  photoChanged(photo) {
    if (photo?.id === this.photo?.id) return;
    this.photo = photo;
    this.canvas = null;
    if (this.isOpen) this.#close();
    this.field.set(null);
  }

  #makeTools() {
    const id = unique("brush");
    this.size = h("input", { type: "range", id, min: "2", max: "40", value: "12", "aria-valuetext": "12 % of the photo" });
    this.size.addEventListener("input", (event) => {
      event.stopPropagation();
      this.size.setAttribute("aria-valuetext", `${this.size.value} % of the photo`);
      this.#drawCursor();
    });
    this.erase = button("Erase", { class: "small", "aria-pressed": "false", on: { click: () => this.erase.setAttribute("aria-pressed", String(!this.isErasing)) } });
    return h("div", { class: "mask-tools", hidden: true },
             h("div", { class: "line" }, h("label", { for: id }, "Brush"), this.size),
             h("div", { class: "buttons" }, this.erase, button("Clear", { class: "small", on: { click: () => this.#clear() } }),
               button("Done", { class: "small main", on: { click: () => this.#done() } })),
             h("p", { class: "help" }, "With keys: arrows move the brush, space paints, Escape ends."));
  }

  get isErasing() { return this.erase.getAttribute("aria-pressed") === "true"; }

  #open() {
    const photo = this.photo;
    this.problem.textContent = photo?.id ? "" : "Choose a photo first.";
    if (!photo?.id) return;
    const scale = Math.min(1, MOST_SIDE / Math.max(photo.width, photo.height));
    const [width, height] = [photo.width, photo.height].map((side) => Math.max(1, Math.round(side * scale)));
    this.canvas ??= h("canvas", { width, height });
    this.cursor = h("span", { class: "brush", "aria-hidden": "true" });
    this.at = [width / 2, height / 2];
    this.cover = h("div", { class: "mask-cover", tabindex: "0", role: "application", "aria-label": "Mask: arrows move the brush, space paints" }, this.canvas, this.cursor);
    this.cover.addEventListener("pointerdown", (event) => this.#grab(event));
    this.cover.addEventListener("pointermove", (event) => this.#point(event));
    this.cover.addEventListener("keydown", (event) => this.#keys(event));
    this.bench.stage.cover(this.cover);
    this.#toggle(true);
    this.cover.focus({ preventScroll: true });
    this.bench.stage.element.scrollIntoView({ block: "nearest" });
    this.#drawCursor();
  }

  #toggle(open) {
    this.tools.hidden = !open;
    this.draw.setAttribute("aria-expanded", String(open));
  }

  #close() {
    this.bench.stage.cover(null);
    this.#toggle(false);
  }

  get radius() {
    return (Number(this.size.value) / 200) * Math.max(this.canvas.width, this.canvas.height);
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.at = [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
    this.#drawCursor();
  }

  #drawCursor() {
    if (!this.cover) return;
    const [x, y] = this.at;
    const { width, height } = this.canvas;
    Object.assign(this.cursor.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${(200 * this.radius) / width}%` });
  }

  #stroke(from) {
    const pen = this.canvas.getContext("2d");
    pen.globalCompositeOperation = this.isErasing ? "destination-out" : "source-over";
    Object.assign(pen, { strokeStyle: PAINTED, lineWidth: 2 * this.radius, lineCap: "round", lineJoin: "round" });
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(this.at[0] + 0.01, this.at[1]);
    pen.stroke();
  }

  #grab(event) {
    event.preventDefault();
    this.cover.focus({ preventScroll: true });
    this.cover.setPointerCapture(event.pointerId);
    this.#point(event);
    this.#stroke(this.at);
    let from = this.at;
    const move = () => { // the cover's own listener, which comes first, has set the place
      this.#stroke(from);
      from = this.at;
    };
    this.cover.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) this.cover.addEventListener(end, () => this.cover.removeEventListener("pointermove", move), { once: true });
  }

  #keys(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      const room = [this.canvas.width, this.canvas.height];
      this.at = this.at.map((value, axis) => Math.min(room[axis], Math.max(0, value + by[axis] * (room[axis] / 25))));
      this.#drawCursor();
    } else if (event.key === " ") this.#stroke(this.at);
    else if (event.key === "Escape" || event.key === "Enter") this.#done();
    else return;
    event.preventDefault();
  }

  #clear() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    announce("The mask is empty");
  }

  /** Upload what was drawn, white on black; an empty mask is none. */
  async #done() {
    this.#close();
    this.draw.focus();
    const blob = await asGray(this.canvas);
    if (blob === null) {
      this.field.set(null);
      return;
    }
    try {
      this.field.set(remember(await upload(blob, "mask.png")));
      announce("The mask is taken");
    } catch (error) {
      this.fail(error.message);
    }
  }
}

/** The painted part white and the rest black, as a PNG; null if nothing is painted. */
async function asGray(canvas) {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height);
  let painted = false;
  for (let at = 0; at < pixels.data.length; at += 4) {
    const value = pixels.data[at + 3];
    painted ||= value > 0;
    pixels.data.set([value, value, value, 255], at);
  }
  if (!painted) return null;
  const gray = h("canvas", { width, height });
  gray.getContext("2d").putImageData(pixels, 0, 0);
  return new Promise((resolve) => gray.toBlob(resolve, "image/png"));
}
