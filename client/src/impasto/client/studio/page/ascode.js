/** The settings as a command line and as Python, to copy. */

import { call } from "./api.js";
import { announce, h, icon } from "./dom.js";

const QUIET = 300;

export class AsCode {
  /** `body` gives what would be posted as a job, or null while there is nothing yet. */
  constructor(body) {
    this.body = body;
    this.command = new Code("Command");
    this.python = new Code("Python");
    this.problem = h("p", { class: "help" });
    this.element = h("details", { class: "more" }, h("summary", {}, "As a command, as Python"), this.problem, this.command.element, this.python.element);
    this.element.addEventListener("toggle", () => this.refresh());
  }

  /** Ask anew, a moment after the last change. */
  refresh() {
    clearTimeout(this.timer);
    if (this.element.open) this.timer = setTimeout(() => this.#ask(), QUIET);
  }

  async #ask() {
    const body = this.body();
    this.problem.textContent = body === null ? "Choose a photo first." : "";
    if (body === null) return;
    try {
      const told = await call("api/explain", { method: "POST", body });
      this.command.show(told.command);
      this.python.show(told.python);
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }
}

class Code {
  constructor(title) {
    this.text = h("code");
    this.copied = h("span", {}, "Copy");
    const copy = h("button", { type: "button", class: "small", "aria-label": `Copy ${title}`, on: { click: () => this.#copy() } }, icon("copy"), this.copied);
    this.element = h("div", { class: "code", hidden: true }, h("div", { class: "code-head" }, h("h2", {}, title), copy),
                     h("pre", { tabindex: "0", role: "region", "aria-label": title }, this.text));
  }

  show(text) {
    this.element.hidden = false;
    this.text.textContent = text;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.text.textContent);
    } catch {
      // Browsers have no clipboard for pages without TLS from other machines; what is selected can be copied there, too.
      getSelection().selectAllChildren(this.text);
      document.execCommand("copy");
    }
    this.copied.textContent = "Copied";
    announce("Copied");
    setTimeout(() => { this.copied.textContent = "Copy"; }, 1500);
  }
}
