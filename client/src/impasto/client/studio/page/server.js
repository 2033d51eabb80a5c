/** The page about the image server: its models, where their weights are from, and how quick they are. */

import { TAB, call } from "./api.js";
import { button, h, seconds } from "./dom.js";
import { isOver, on, ownJobs } from "./store.js";

const EVERY = 5000;

export class ServerPage {
  constructor() {
    this.list = h("ul", { class: "models" });
    this.address = h("p", { class: "lead" });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.bench = button("Time each model", { class: "main", on: { click: () => this.#time() } });
    this.timing = h("p", { class: "soft", role: "status" });
    this.element = h("div", { class: "page server" }, h("h1", {}, "Server"), this.address, this.problem, this.list,
                     h("div", { class: "start" }, this.bench, this.timing));
    on("job", ({ job }) => job.kind === "bench" && this.#draw());
  }

  shown() {
    this.#ask();
    this.timer = setInterval(() => document.hidden || this.#ask(), EVERY);
  }

  hidden() {
    clearInterval(this.timer);
  }

  async #ask() {
    try {
      this.told = await call("api/server");
      this.problem.textContent = this.told.error ?? "";
    } catch (error) {
      this.problem.textContent = error.message;
    }
    this.#draw();
  }

  async #time() {
    this.problem.textContent = "";
    try {
      await call("api/jobs", { method: "POST", body: { kind: "bench", tab: TAB, fields: {} } });
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }

  #draw() {
    const [bench] = ownJobs("bench");
    this.bench.disabled = Boolean(bench && !isOver(bench));
    this.timing.textContent = !bench ? "Runs each model once on a small picture." : bench.state === "failed" ? bench.error
      : bench.state === "queued" ? "Waiting for its turn" : isOver(bench) ? "Timed just now" : "Timing …";
    if (!this.told) return;
    this.address.textContent = `At ${this.told.address}`;
    const drawn = JSON.stringify([this.told.models, bench?.bench]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.list.replaceChildren(...(this.told.models ?? []).map((model) => card(model, (bench?.bench ?? []).filter((one) => one.model === model.name))));
  }
}

function card(model, times) {
  const facts = [["Versions", (model.versions ?? []).map(({ version, state }) => `${version} ${String(state).toLowerCase()}`).join(", ")],
                 ["Labels", labels(model.labels)], ["Network", model.network], ["Weights", model.weights], ["Licence", model.licence],
                 ["Time", times.map((one) => (one.error ? one.error : `${seconds(one.seconds)} for ${one.what}`)).join("; ")]];
  return h("li", { class: "model" },
           h("div", { class: "model-head" }, h("h2", {}, model.name), h("span", { class: `health ${model.healthy ? "well" : "ill"}` }, model.healthy ? "Healthy" : "Not available")),
           model.error && h("p", { class: "problem" }, model.error),
           h("dl", {}, ...facts.filter(([, fact]) => fact).map(([name, fact]) => h("div", {}, h("dt", {}, name), h("dd", {}, fact)))));
}

function labels(given) {
  if (!given) return "";
  return Array.isArray(given) ? given.join(", ") : Object.entries(given).map(([label, version]) => `${label}: ${version}`).join(", ");
}
