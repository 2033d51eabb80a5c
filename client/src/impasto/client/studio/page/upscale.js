/** The page that enlarges photos. */

import { call } from "./api.js";
import { Choice } from "./choice.js";
import { h, pixels, seconds } from "./dom.js";
import { Fields, more } from "./fields.js";
import { pictureField } from "./pictures.js";
import { photoOf, on, store } from "./store.js";
import { Workbench } from "./work.js";

export function upscalePage() {
  const quality = new Quality();
  const bench = new Workbench({
    kind: "upscale", title: "Upscale", lead: "Enlarge a photo. Compare pixel for pixel under the divider.", verb: "Upscale",
    build: (offer, workbench) => new UpscaleForm(offer, workbench), below: quality.element, compares: true,
  });
  quality.follow(bench);
  return bench;
}

class UpscaleForm {
  constructor(offer, bench) {
    this.offer = offer.upscale;
    this.bench = bench;
    this.fields = new Fields(() => this.#changed());
    this.networks = new Choice("Network", this.offer.models.map((model) => ({ value: model.name, title: model.name, lines: [model.about ?? model.network ?? ""] })));
    this.factors = new Choice("Enlarge by", [], { look: "segments wide" });
    this.outlook = h("p", { class: "help outlook" });
    this.element = h("div", { class: "form" }, this.fields.add("factor", this.factors), this.fields.add("model", this.networks), this.outlook);
    this.extra = more(this.fields, offer.fields.upscale, { skip: ["image", "model", "factor"] });
    // The first model may know a single factor; who just begins takes one that knows more.
    const most = Math.max(...this.offer.models.map((model) => model.factors.length));
    this.networks.set(this.offer.models.find((model) => model.factors.length === most).name);
    this.#changed();
  }

  /** A size to fit into takes the place of a factor. */
  values() {
    const { factor, ...others } = this.fields.values();
    return "size" in others || "megapixels" in others ? others : { factor, ...others };
  }

  fill(values) {
    this.networks.set(values.model ?? null);
    this.#offerFactors();
    this.fields.fill(values);
    this.#changed();
  }

  fail(field, text) { return this.fields.fail(field, text); }
  clear() { this.fields.clear(); }
  lacks() { return null; }
  photoChanged() { this.#outlook(); }

  get model() {
    return this.offer.models.find((model) => model.name === this.networks.value);
  }

  #changed() {
    this.#offerFactors();
    this.#outlook();
    this.bench.changed();
  }

  #offerFactors() {
    const kept = this.factors.value;
    this.factors.offer(this.model.factors.map((factor) => ({ value: factor, title: `${factor}×` })));
    this.factors.set(this.model.factors.includes(kept) ? kept : this.model.factors[0]);
  }

  /** Say how large it becomes, and how long it takes going by what this server took before. */
  #outlook() {
    const photo = store.current;
    const { factor } = this.values();
    if (!photo?.id || !factor) {
      this.outlook.textContent = this.model.network ?? "";
      return;
    }
    const pace = this.model.seconds_per_megapixel ?? learntPace(this.model.name, factor);
    const megapixels = (photo.width * photo.height) / 1e6;
    this.outlook.textContent = `Becomes ${pixels(photo.width * factor, photo.height * factor)}${pace ? `, in about ${seconds(pace * megapixels)}` : ""}.`;
  }
}

function learntPace(model, factor) {
  const paces = [...store.jobs.values()]
    .filter((job) => job.kind === "upscale" && job.state === "done" && job.seconds && job.fields?.model === model && job.fields?.factor === factor && photoOf(job))
    .map((job) => job.seconds / ((photoOf(job).width * photoOf(job).height) / 1e6));
  return paces.at(-1) ?? null;
}

/** How near the result is to the original, where someone has it. */
class Quality {
  constructor() {
    this.told = h("p", { class: "quality-told", role: "status" });
    this.original = pictureField({ text: "Measure against the original", onChange: () => this.#measure() });
    this.element = h("div", { class: "quality", hidden: true }, this.original.element, this.told);
  }

  follow(bench) {
    this.bench = bench;
    const refresh = () => {
      this.element.hidden = !bench.job?.result;
      if (bench.job?.result?.url !== this.measured) this.#measure();
    };
    on("job", refresh);
    on("photos", refresh);
  }

  async #measure() {
    const job = this.bench.job;
    this.told.textContent = "";
    this.measured = job?.result?.url;
    if (!this.original.value || !job?.result) return;
    try {
      const { psnr, ssim } = await call("api/compare", { method: "POST", body: { job: job.id, original: this.original.value } });
      const near = psnr === null ? "equal to the original" : `PSNR ${psnr.toFixed(2)} dB`;
      this.told.textContent = [near, ssim === null || ssim === undefined ? null : `SSIM ${ssim.toFixed(4)}`].filter(Boolean).join(" · ");
    } catch (error) {
      this.told.textContent = error.message;
    }
  }
}
