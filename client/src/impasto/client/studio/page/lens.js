/** A loupe over the picture: before in its left half and after in its right one, where there are both. */

import { h } from "./dom.js";

const RADIUS = 88;
const ENLARGED = 3;
const KEY_STEP = 12;

export class Lens {
  constructor() {
    this.on = false;
    this.at = [0, 0];
    this.lifted = 0;
    this.halves = [h("span", { class: "half" }), h("span", { class: "half" })];
    this.element = h("div", { class: "lens", hidden: true, "aria-hidden": "true" }, ...this.halves);
  }

  use(on, stage) {
    this.on = on;
    this.lifted = 0;
    this.at = [stage.view.clientWidth / 2, stage.view.clientHeight / 2];
    this.follow(stage);
  }

  /** Go where the pointer is; above a finger, which would hide it. */
  move(stage, at, pointer) {
    this.at = at;
    this.lifted = pointer === "touch" ? RADIUS + 24 : 0;
    this.follow(stage);
  }

  step(stage, by) {
    const room = [stage.view.clientWidth, stage.view.clientHeight];
    this.at = this.at.map((value, axis) => Math.min(room[axis], Math.max(0, value + by[axis] * KEY_STEP)));
    this.follow(stage);
  }

  follow(stage) {
    this.element.hidden = !this.on || stage.size === null || Boolean(stage.overlay);
    if (this.element.hidden) return;
    const { left, top, scale } = stage.box;
    const enlarged = (ENLARGED * Math.max(scale, 1 / (window.devicePixelRatio || 1)));
    const spot = [(this.at[0] - left) / scale, (this.at[1] - top) / scale];
    this.element.style.transform = `translate(${this.at[0] - RADIUS}px, ${this.at[1] - RADIUS - this.lifted}px)`;
    const after = stage.after.url ?? stage.before.url;
    const sources = stage.hasBoth ? [stage.before.url, after] : [after, after];
    this.halves.forEach((half, place) => {
      half.style.backgroundImage = `url("${sources[place]}")`;
      half.style.backgroundSize = `${stage.size[0] * enlarged}px ${stage.size[1] * enlarged}px`;
      const x = RADIUS * (1 - place) - spot[0] * enlarged;
      half.style.backgroundPosition = `${x}px ${RADIUS - spot[1] * enlarged}px`;
    });
    this.element.classList.toggle("both", stage.hasBoth);
  }
}
