/** The picture in the middle: fitted or pixel for pixel, moved, before and after under a divider, and a loupe. */

import { Divider } from "./divider.js";
import { button, h, signButton } from "./dom.js";
import { Lens } from "./lens.js";
import { Side } from "./side.js";

const ZOOMS = [["fit", "Fit"], ["1", "1:1"], ["2", "2:1"], ["4", "4:1"]];
const LARGEST_FIT = 3;
const STEP = 48;

export class Stage {
  /** `empty` is shown while there is no picture; `left` stands beside the tools below it. */
  constructor({ empty, left }) {
    this.size = null;
    this.zoom = "fit";
    this.centre = [0, 0];
    this.comparing = false;
    this.overlay = null;
    this.empty = h("div", { class: "empty" }, empty);
    this.before = new Side("before", () => this.place());
    this.after = new Side("after", () => this.place());
    this.divider = new Divider(() => this.place());
    this.lens = new Lens();
    this.tags = [h("span", { class: "tag left", "aria-hidden": "true" }, "before"),
                 h("span", { class: "tag right", "aria-hidden": "true" }, "after")];
    this.view = h("div", { class: "view" }, this.empty, this.after.element, this.before.element, ...this.tags, this.divider.element, this.lens.element);
    this.tools = this.#makeTools();
    this.element = h("div", { class: "stage" }, this.view, h("div", { class: "under" }, left, this.tools));
    this.#listen();
    new ResizeObserver(() => this.place()).observe(this.view);
    this.show({});
  }

  /**
   * Show a photo, a result, or both. A result is drawn as large as `size`, the photo too, so they lie on each other.
   */
  show({ before = null, after = null, size = null, name = "", compare = null, fallback = null }) {
    const isOther = JSON.stringify(size) !== JSON.stringify(this.size);
    this.size = size;
    this.before.show(before, { alt: `Photo: ${name}`, isOther, fallback });
    this.after.show(after, { alt: `Result: ${name}`, isOther });
    this.hasBoth = Boolean(before && after);
    if (compare !== null) this.comparing = compare;
    this.empty.hidden = size !== null;
    this.tools.hidden = size === null;
    this.view.classList.toggle("filled", size !== null);
    if (size !== null) this.view.style.setProperty("--slope", String(size[1] / size[0]));
    if (isOther && size !== null) this.centre = [size[0] / 2, size[1] / 2];
    for (const [attribute, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Picture: arrow keys move it, plus and minus zoom"]]) {
      if (size === null) this.view.removeAttribute(attribute);
      else this.view.setAttribute(attribute, value);
    }
    this.place();
  }

  /** Zoom to "fit", or to so many screen pixels for one of the picture. */
  zoomTo(zoom) {
    this.zoom = zoom;
    for (const radio of this.zooms) radio.checked = radio.value === zoom;
    this.place();
  }

  compare(on) {
    this.comparing = on;
    this.place();
  }

  /** Lay something over the picture, such as a mask; null takes it away. */
  cover(overlay) {
    this.overlay?.remove();
    this.overlay = overlay;
    if (overlay) {
      this.view.append(overlay);
      this.zoomTo("fit");
    }
    this.tools.hidden = Boolean(overlay) || this.size === null;
    this.place();
  }

  get scale() {
    const { clientWidth, clientHeight } = this.view;
    const device = window.devicePixelRatio || 1;
    if (this.zoom !== "fit") return Number(this.zoom) / device;
    return Math.min(clientWidth / this.size[0], clientHeight / this.size[1], LARGEST_FIT);
  }

  get isMovable() {
    const scale = this.scale;
    return this.size[0] * scale > this.view.clientWidth + 1 || this.size[1] * scale > this.view.clientHeight + 1;
  }

  /** Put everything where size, zoom and divider say. */
  place() {
    const hasResult = this.hasBoth && !this.overlay && this.after.picture !== null;
    const both = hasResult && this.comparing;
    this.divider.element.hidden = !both;
    this.compareButton.hidden = !this.hasBoth;
    this.compareButton.setAttribute("aria-pressed", String(this.comparing));
    for (const tag of this.tags) tag.hidden = !both;
    this.before.element.hidden = hasResult && !both;
    if (this.size === null) return;
    const scale = this.scale;
    const [left, width] = this.#axis(0, this.view.clientWidth, scale);
    const [top, height] = this.#axis(1, this.view.clientHeight, scale);
    this.box = { left, top, width, height, scale };
    for (const element of [this.before.picture, this.after.picture, this.overlay]) this.#fit(element);
    const at = this.divider.place(Math.max(0, left), Math.min(this.view.clientWidth, left + width));
    this.before.element.style.clipPath = both ? `inset(0 ${this.view.clientWidth - at}px 0 0)` : "none";
    this.view.classList.toggle("movable", this.isMovable);
    this.lens.follow(this);
  }

  #fit(element) {
    if (!element) return;
    const { left, top, width, height } = this.box;
    Object.assign(element.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${left}px, ${top}px)` });
  }

  #axis(axis, room, scale) {
    const length = this.size[axis] * scale;
    if (length <= room) return [(room - length) / 2, length];
    const half = room / 2 / scale;
    this.centre[axis] = Math.min(Math.max(this.centre[axis], half), this.size[axis] - half);
    return [room / 2 - this.centre[axis] * scale, length];
  }

  #makeTools() {
    const group = `zoom-${Math.random()}`;
    this.zooms = ZOOMS.map(([value]) => h("input", { type: "radio", name: group, value, checked: value === "fit",
                                                     on: { change: () => this.zoomTo(value) } }));
    const labels = ZOOMS.map(([, text], place) => h("label", {}, this.zooms[place], h("span", {}, text)));
    this.compareButton = button("Compare", { sign: "compare", class: "tool", "aria-pressed": "false",
                                             on: { click: () => this.compare(!this.comparing) } });
    this.lensButton = signButton("loupe", "Loupe", { "aria-pressed": "false", on: { click: () => this.useLens(!this.lens.on) } });
    return h("div", { class: "tools", hidden: true }, this.compareButton, this.lensButton,
             h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Zoom"), ...labels));
  }

  useLens(on) {
    this.lens.use(on, this);
    this.lensButton.setAttribute("aria-pressed", String(on));
    if (on) this.view.focus({ preventScroll: true });
  }

  #listen() {
    this.view.addEventListener("keydown", (event) => event.target === this.view && this.#keys(event));
    this.view.addEventListener("dblclick", (event) => {
      if (this.size === null || this.overlay || event.target.closest("button, label")) return;
      this.#towards(event);
      this.zoomTo(this.zoom === "fit" ? "1" : "fit");
    });
    this.view.addEventListener("pointerdown", (event) => this.#grab(event));
    this.view.addEventListener("pointermove", (event) => this.lens.on && this.lens.move(this, this.#at(event), event.pointerType));
    this.view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey || this.size === null || this.overlay) return;
      event.preventDefault();
      this.#towards(event);
      this.#zoomBy(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
  }

  #at(event) {
    const { left, top } = this.view.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  #towards(event) {
    const [x, y] = this.#at(event);
    this.centre = [(x - this.box.left) / this.box.scale, (y - this.box.top) / this.box.scale];
  }

  #grab(event) {
    if (this.size === null || this.overlay || event.button > 0 || event.target.closest("button, label, .empty")) return;
    const isDivider = event.target.closest(".divider") !== null;
    const slides = isDivider || (!this.isMovable && this.comparing && this.hasBoth && !this.lens.on);
    if (!slides && !this.isMovable) return;
    const [x, y] = this.#at(event);
    const [centreX, centreY] = this.centre;
    if (slides) this.divider.moveTo(x);
    const move = (moved) => {
      const [nowX, nowY] = this.#at(moved);
      if (slides) {
        this.divider.moveTo(nowX);
        return;
      }
      this.centre = [centreX - (nowX - x) / this.box.scale, centreY - (nowY - y) / this.box.scale];
      this.place();
    };
    const end = () => {
      this.view.classList.remove("held");
      this.view.removeEventListener("pointermove", move);
    };
    this.view.classList.add("held");
    this.view.setPointerCapture(event.pointerId);
    this.view.addEventListener("pointermove", move);
    this.view.addEventListener("pointerup", end, { once: true });
    this.view.addEventListener("pointercancel", end, { once: true });
  }

  #keys(event) {
    if (this.size === null || this.overlay) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by && this.lens.on) this.lens.step(this, by);
    else if (by && this.isMovable) this.centre = this.centre.map((value, axis) => value + (by[axis] * STEP) / this.box.scale);
    else if (event.key === "+" || event.key === "=") this.#zoomBy(1);
    else if (event.key === "-") this.#zoomBy(-1);
    else if (event.key === "0") this.zoomTo("fit");
    else if (event.key === "Escape" && this.lens.on) this.useLens(false);
    else return;
    event.preventDefault();
    this.place();
  }

  #zoomBy(by) {
    const names = ZOOMS.map(([value]) => value);
    this.zoomTo(names[Math.min(names.length - 1, Math.max(0, names.indexOf(this.zoom) + by))]);
  }
}
