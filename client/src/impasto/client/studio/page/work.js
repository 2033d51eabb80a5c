/** A page on which a photo is worked on: the picture, what is done to it, and its settings. */

import { Away, TAB, call } from "./api.js";
import { AsCode } from "./ascode.js";
import { Curve } from "./curve.js";
import { button, h, pixels } from "./dom.js";
import { Rows, Status, act, canGoOn, goOn, share } from "./jobs.js";
import { invitation, thumbnail, tray } from "./pictures.js";
import { Stage } from "./stage.js";
import { PHOTO_FIELD, choose, heardJob, isOver, on, otherTabsJobs, ownJobs, photoOf, ready, store } from "./store.js";

export class Workbench {
  /**
   * Args: `kind` of the jobs; `title` and `lead`; `verb` on the button; `build(offer, bench)` makes the form, as
   * `{element, extra, values(), fill(fields), fail(field, text), clear(), lacks()}`; `curves` by the names of the losses;
   * `below` goes under the picture; `compares` lays the result beside the photo at once, pixel for pixel.
   */
  constructor({ kind, title, lead, verb, build, curves = {}, below = null, compares = false }) {
    Object.assign(this, { kind, verb, build, compares });
    this.job = null;
    this.stage = new Stage({ empty: invitation(), left: tray() });
    this.status = new Status();
    this.rows = new Rows((job) => this.#chooseJob(job));
    this.curves = Object.entries(curves).map(([name, words]) => [name, new Curve(words)]);
    const beside = this.curves.length ? h("div", { class: "curves" }, ...this.curves.map(([, curve]) => curve.element)) : null;
    this.course = h("div", { class: "course" }, this.status.element, beside);
    this.others = h("details", { class: "more", hidden: true });
    this.form = h("form", { class: "settings", novalidate: true, on: { submit: (event) => this.#submit(event) } });
    this.go = h("button", { type: "submit", class: "main" }, verb);
    this.all = button("", { on: { click: () => this.#run(ready()) }, hidden: true });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.code = new AsCode(() => this.#body(store.current));
    this.absent = h("div", { class: "absent", hidden: true });
    this.panel = h("div", { class: "panel" }, this.absent, this.form);
    const wall = h("div", { class: "wall" }, this.stage.element, this.course, below, this.rows.element, this.others);
    const head = h("div", { class: "head" }, h("h1", {}, title), h("p", { class: "lead" }, lead));
    this.element = h("div", { class: `work ${kind}` }, head, wall, this.panel);
    on("offer", () => this.#offered());
    on("photos", () => this.#photoChanged());
    on("job", ({ job, before }) => job.kind === kind && this.#jobHeard(job, before));
    this.#offered();
    this.#photoChanged();
  }

  changed() {
    this.problem.textContent = "";
    this.made?.clear();
    this.code.refresh();
    this.#ready();
  }

  /** Fill the form with the settings of a job made earlier. */
  fill(fields) {
    this.made?.fill(fields);
    this.changed();
  }

  #offered() {
    const offer = store.offer;
    if (!offer || offer.login) return;
    const here = offer[this.kind]?.models?.length > 0;
    const told = JSON.stringify([offer[this.kind], offer.fields?.[this.kind]]);
    if (here && told !== this.told) {
      const kept = this.made?.values();
      this.told = told;
      this.made = this.build(offer, this);
      this.form.replaceChildren(this.made.element, h("div", { class: "start" }, this.go, this.all), this.problem,
                                h("div", {}, this.made.extra, this.code.element));
      if (kept) this.made.fill(kept);
    }
    this.form.hidden = !this.made;
    this.absent.hidden = Boolean(this.made);
    const reason = offer.server_error ?? `The image server serves no ${this.kind} model.`;
    const remedy = offer.server_error ? "This page goes on by itself as soon as it answers." : `Export one with impasto-export ${this.kind} and serve it; this page notices.`;
    this.absent.replaceChildren(h("p", {}, reason), h("p", { class: "soft" }, remedy));
    this.#ready();
  }

  #ready() {
    const lacks = !store.current?.id ? "Choose a photo first." : store.offer?.server_error ? "The image server is away." : this.made?.lacks();
    this.go.setAttribute("aria-disabled", String(Boolean(lacks)));
    this.lacks = lacks ?? null;
    const count = ready().length;
    this.all.hidden = count < 2;
    this.all.textContent = `All ${count} photos`;
  }

  #body(photo) {
    if (!photo?.id || !this.made) return null;
    return { kind: this.kind, tab: TAB, fields: { [PHOTO_FIELD[this.kind]]: photo.id, ...this.made.values() } };
  }

  #submit(event) {
    event.preventDefault();
    this.#run([store.current]);
  }

  async #run(photos) {
    this.problem.textContent = this.lacks ?? "";
    if (this.lacks) return;
    this.made.clear();
    this.go.disabled = true;
    try {
      for (const photo of photos) {
        const job = await call("api/jobs", { method: "POST", body: this.#body(photo) });
        if (!store.jobs.has(job.id)) heardJob(job);
        if (photo === store.current) this.#chooseJob(store.jobs.get(job.id));
      }
      if (matchMedia("(max-width: 60rem)").matches) this.stage.element.scrollIntoView({ block: "nearest" });
    } catch (error) {
      this.#failed(error);
    } finally {
      this.go.disabled = false;
    }
  }

  #failed(error) {
    const field = error instanceof Away ? null : error.field;
    if (!field || !this.made.fail(field, error.message)) this.problem.textContent = error.message;
  }

  #photoChanged() {
    const photo = store.current;
    const shown = this.job && photoOf(this.job);
    if (shown?.id !== photo?.id) this.job = ownJobs(this.kind).find((job) => photoOf(job)?.id === photo?.id) ?? null;
    this.made?.photoChanged?.(photo);
    this.#refresh();
    this.#ready();
    this.code.refresh();
  }

  #chooseJob(job) {
    this.job = job;
    const photo = photoOf(job);
    if (photo && photo !== store.current && store.photos.includes(photo)) choose(photo);
    this.#refresh();
  }

  #jobHeard(job, before) {
    const isNew = before === null && job.tab === TAB && store.current !== null && photoOf(job)?.id === store.current.id;
    if (job.state === "gone") this.job = this.job?.id === job.id ? null : this.job;
    else if (this.job?.id === job.id || isNew) this.job = job;
    this.#refresh();
  }

  #refresh() {
    const photo = (this.job && photoOf(this.job)) ?? store.current;
    const job = this.job;
    // A job that goes on has its last result still, until there is a newer picture.
    const newest = job && !isOver(job) ? job.preview : null;
    const after = newest ?? job?.result?.url ?? job?.preview ?? null;
    this.status.show(job, photo?.id ? `${photo.name} · ${pixels(photo.width, photo.height)}` : "");
    this.course.classList.toggle("hushed", !photo && !job);
    for (const [name, curve] of this.curves) curve.draw(job?.losses?.[name] ?? [], job ? share(job) : 0);
    this.rows.show(ownJobs(this.kind), job?.id);
    this.#otherTabs();
    if (!photo?.id && !after) return this.stage.show({});
    const size = job?.result ? [job.result.width, job.result.height] : photo?.id ? [photo.width, photo.height] : null;
    const done = job?.result?.url ?? null;
    const fresh = done !== null && done !== this.lastResult;
    this.lastResult = done;
    this.stage.show({ before: photo?.url ?? null, after, size, name: photo?.name ?? job.name, fallback: photo?.id && thumbnail(photo, 1024).src,
                      compare: after === null ? false : fresh && this.compares ? true : null });
    if (fresh && this.compares) this.stage.zoomTo("1");
    else if (after === null) this.stage.zoomTo("fit");
    return undefined;
  }

  #otherTabs() {
    const jobs = otherTabsJobs(this.kind);
    this.others.hidden = jobs.length === 0;
    const told = jobs.map((job) => `${job.id} ${job.state} ${job.result?.url}`).join();
    if (this.others.dataset.jobs === told) return;
    this.others.dataset.jobs = told;
    this.others.replaceChildren(h("summary", {}, `From your other tabs (${jobs.length})`),
                                h("ul", { class: "others" }, ...jobs.map((job) => this.#otherTabsJob(job))));
  }

  #otherTabsJob(job) {
    const words = h("span", { class: "soft" }, job.state === "done" ? "" : `step ${job.step} of ${job.steps}`);
    const result = job.result ? h("a", { href: job.result.url, download: job.result.name }, job.result.name) : job.name;
    const onwards = canGoOn(job) ? button("Go on here", { sign: "go", class: "small", on: { click: () => act(() => goOn(job), (told) => { words.textContent = told; }) } }) : null;
    return h("li", {}, result, " ", words, " ", onwards);
  }
}
