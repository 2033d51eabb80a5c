/** Jobs as people see them: words for their state, a bar, and buttons for what can be done. */

import { TAB, call, upload } from "./api.js";
import { announce, button, h, icon, pixels, say, seconds, signButton } from "./dom.js";
import { heardJob, jobGone, photoOf, remember, takePicture } from "./store.js";
import { thumbnail } from "./pictures.js";

const DOING = { upscale: "Upscaling", stylize: "Painting", dream: "Dreaming", transfer: "Painting", strip: "Trying paintings", bench: "Timing" };

const LONG = ["dream", "transfer"];

export function share(job) {
  if (job.state === "done") return 1;
  return job.steps ? Math.min(1, job.step / job.steps) : 0;
}

export function words(job) {
  switch (job.state) {
    case "queued": return job.place > 1 ? `In the queue: ${job.place - 1} before this one` : "Next in the queue";
    case "running": return running(job);
    case "stopped": return `Stopped after ${job.step} of ${job.steps} steps and kept`;
    case "done": return ["Done", job.seconds && `in ${seconds(job.seconds)}`].filter(Boolean).join(" ");
    default: return job.error ?? "It failed";
  }
}

function running(job) {
  if (job.note) return job.note;
  const long = job.steps > 1 ? `step ${job.step} of ${job.steps}` : null;
  const left = job.seconds_left === null || job.seconds_left === undefined ? null : `about ${seconds(Math.max(1, job.seconds_left))} left`;
  return [DOING[job.kind], long, left].filter(Boolean).join(" · ");
}

/** Tell a screen reader what matters: the beginning, each quarter, and the end. */
export function tellCourse(job, before) {
  if (job.kind === "strip") return;
  const name = job.name ?? photoOf(job)?.name ?? "";
  if (!before || job.state !== before.state) announce(`${name}: ${words(job)}`);
  else if (job.state === "running" && Math.floor(share(job) * 4) > Math.floor(share(before) * 4)) announce(`${name}: ${Math.round(share(job) * 100)} %`);
}

export class Bar {
  constructor(name) {
    this.fill = h("span", { class: "fill" });
    this.element = h("div", { class: "bar", role: "progressbar", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": "100" }, this.fill);
    this.job = null;
  }

  show(job) {
    const moves = job !== null && this.job === job.id;
    // What a bar has shown as done it does not take back, though a job that begins again counts anew.
    this.share = moves && job.state !== "queued" ? Math.max(this.share, share(job)) : job ? share(job) : 0;
    this.job = job?.id ?? null;
    this.fill.classList.toggle("moves", moves);
    this.fill.style.transform = `scaleX(${this.share})`;
    this.element.setAttribute("aria-valuenow", String(Math.round(this.share * 100)));
    this.element.dataset.state = job?.state ?? "none";
  }
}

export const act = async (action, onProblem) => {
  try {
    await action();
  } catch (error) {
    onProblem(error.message);
  }
};

const stop = (job) => call(`api/jobs/${job.id}/stop`, { method: "POST" });

/** Let a job go on in this tab, also one that another tab has begun. */
export async function goOn(job) {
  const taken = await call(`api/jobs/${job.id}/resume?tab=${encodeURIComponent(TAB)}`, { method: "POST" });
  if (!photoOf(taken)) (await call("api/pictures")).forEach(remember);
  heardJob(taken);
  const photo = photoOf(taken);
  if (photo) takePicture(photo);
}

/** Whether a job is one of those that go on where they were. */
export function canGoOn(job) {
  return LONG.includes(job.kind) && (job.state === "stopped" || (job.state === "failed" && job.step > 0));
}

export async function forget(job) {
  await call(`api/jobs/${job.id}`, { method: "DELETE" });
  jobGone(job.id);
}

async function takeResult(job) {
  const answer = await fetch(job.result.url);
  if (!answer.ok) throw new Error("The result is not kept any more. Make it again.");
  const picture = remember(await upload(await answer.blob(), job.result.name));
  takePicture({ ...picture, job: null });
}

export function downloadLink(job, text = "Download") {
  const url = new URL(job.result.url, document.baseURI);
  url.searchParams.set("download", "1");
  return h("a", { class: "button small", href: url.href, download: job.result.name, "aria-label": `Download ${job.result.name}` }, icon("down"), h("span", {}, text));
}

/** The chosen job, below the picture. Buttons stay in their places and only appear and vanish. */
export class Status {
  constructor() {
    this.text = h("p", { class: "state" });
    this.bar = new Bar("Progress");
    this.actions = h("div", { class: "actions" });
    this.element = h("div", { class: "status" }, h("div", { class: "status-line" }, this.text, this.actions), this.bar.element);
    this.kinds = "";
  }

  /** `idle` is said while there is no job. */
  show(job, idle = "") {
    this.element.dataset.state = job?.state ?? "none";
    say(this.text, job ? [words(job), job.result && job.state === "done" && pixels(job.result.width, job.result.height)].filter(Boolean).join(" · ") : idle);
    this.bar.show(job);
    const kinds = job ? `${job.id} ${job.state} ${job.result?.url}` : "";
    if (kinds === this.kinds) return;
    const had = this.actions.contains(document.activeElement);
    this.kinds = kinds;
    this.actions.replaceChildren(...(job ? this.#actions(job) : []));
    if (had) this.actions.querySelector("button, a")?.focus();
  }

  #actions(job) {
    const problem = (text) => { this.text.textContent = text; };
    const does = (text, sign, action) => button(text, { sign, class: "small", on: { click: () => act(action, problem) } });
    const onwards = canGoOn(job) && does("Go on", "go", () => goOn(job));
    switch (job.state) {
      case "queued": return [does("Cancel", "close", () => forget(job))];
      case "running": return LONG.includes(job.kind) ? [does("Stop", "stop", () => stop(job))] : [does("Cancel", "close", () => forget(job))];
      case "stopped": return [onwards, ...this.#taking(job, does)].filter(Boolean);
      case "failed": return [onwards, does("Put away", "close", () => forget(job))].filter(Boolean);
      default: return this.#taking(job, does);
    }
  }

  #taking(job, does) {
    return job.result ? [does("Use as photo", "next", () => takeResult(job)), downloadLink(job)] : [];
  }
}

/** A row for each job, where there are several. */
export class Rows {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.rows = new Map();
    this.list = h("ul", { class: "rows" });
    this.zip = h("a", { class: "button small", hidden: true }, icon("down"), h("span", {}, "Download all"));
    this.element = h("section", { class: "results", hidden: true }, h("div", { class: "results-head" }, h("h2", {}, "Results"), this.zip), this.list);
  }

  show(jobs, chosen) {
    this.element.hidden = jobs.length < 2;
    for (const [id, row] of this.rows) {
      if (jobs.some((job) => job.id === id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    jobs.forEach((job, place) => {
      if (!this.rows.has(job.id)) this.rows.set(job.id, new Row(this.onChoose));
      const row = this.rows.get(job.id);
      row.show(job, job.id === chosen);
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null);
    });
    const made = jobs.filter((job) => job.result);
    this.zip.hidden = made.length < 2;
    if (made.length) this.zip.href = new URL(`api/results.zip?jobs=${made.map((job) => job.id).join(",")}`, document.baseURI).href;
    this.zip.setAttribute("aria-label", `Download all ${made.length} results as a zip`);
  }
}

class Row {
  constructor(onChoose) {
    this.thumb = h("span", { class: "row-thumb" });
    this.name = h("span", { class: "row-name" });
    this.state = h("span", { class: "row-state soft" });
    this.bar = new Bar("Progress");
    this.take = h("span", { class: "row-take" });
    this.choose = h("button", { type: "button", class: "row-choose", on: { click: () => onChoose(this.job) } },
                    this.thumb, h("span", { class: "row-words" }, this.name, this.state));
    this.away = signButton("close", "Put away", { on: { click: () => act(() => forget(this.job), (told) => say(this.state, told)) } });
    this.element = h("li", { class: "row" }, this.choose, this.bar.element, this.take, this.away);
  }

  show(job, isChosen) {
    this.job = job;
    const photo = photoOf(job);
    say(this.name, job.name ?? photo?.name ?? "Result");
    say(this.state, words(job));
    this.bar.show(job);
    this.element.dataset.state = job.state;
    this.choose.setAttribute("aria-pressed", String(isChosen));
    this.away.setAttribute("aria-label", `Put away ${this.name.textContent}`);
    if (this.drawn !== job.result?.url || !this.thumb.firstChild) {
      this.drawn = job.result?.url;
      this.thumb.replaceChildren(...(job.result ? [h("img", { src: job.result.url, alt: "", loading: "lazy" })] : photo ? [thumbnail(photo, 128)] : []));
      this.take.replaceChildren(...(job.result ? [downloadLink(job, "")] : []));
    }
  }
}
