/** The line between before and after, moved by the mouse, a finger or the keys. */

import { h } from "./dom.js";

const KEYS = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };

export class Divider {
  /** `onMove` is called when `share`, the part of the picture that shows what was before, has changed. */
  constructor(onMove) {
    this.share = 0.5;
    this.onMove = onMove;
    this.element = h("div", { class: "divider", role: "slider", tabindex: "0", "aria-label": "Divider between before and after",
                              "aria-valuemin": "0", "aria-valuemax": "100", hidden: true, on: { keydown: (event) => this.#keys(event) } },
                     h("span", { class: "grip", "aria-hidden": "true" }));
  }

  /** Stand where the share is between two edges; returns that place. */
  place(start, end) {
    this.edges = [start, end];
    const at = start + this.share * (end - start);
    this.element.style.transform = `translateX(${at}px)`;
    this.element.setAttribute("aria-valuenow", String(Math.round(this.share * 100)));
    this.element.setAttribute("aria-valuetext", `${Math.round(this.share * 100)} % before`);
    return at;
  }

  moveTo(x) {
    const [start, end] = this.edges;
    this.#set((x - start) / (end - start));
  }

  #keys(event) {
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.#set(this.share + by * (event.shiftKey ? 5 : 1));
  }

  #set(share) {
    this.share = Math.min(1, Math.max(0, share));
    this.onMove();
  }
}
