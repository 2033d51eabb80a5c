/** The state that all pages share: what the server offers, the photos, and the jobs. */

import { TAB, call, upload } from "./api.js";
import { announce } from "./dom.js";

export const store = {
  offer: null,
  /** Photos in the order in which they came: pictures of the server, or `{name, error}`, or `{name, pending: true}`. */
  photos: [],
  current: null,
  jobs: new Map(),
};

const heard = new EventTarget();

/** Call back when the offer, the photos or the jobs changed. */
export function on(what, listener) {
  heard.addEventListener(what, (event) => listener(event.detail));
}

export function tell(what, detail = null) {
  heard.dispatchEvent(new CustomEvent(what, { detail }));
}

export const PHOTO_FIELD = { upscale: "image", dream: "image", stylize: "content", transfer: "content", strip: "content" };

export function photoOf(job) {
  const id = job.fields?.[PHOTO_FIELD[job.kind]];
  return store.photos.find((photo) => photo.id === id) ?? pictureById(id);
}

const known = new Map();

export function remember(picture) {
  known.set(picture.id, picture);
  return picture;
}

export function pictureById(id) {
  return known.get(id) ?? null;
}

export function ready() {
  return store.photos.filter((photo) => photo.id);
}

/** Jobs of a kind that this tab started, the newest first. */
export function ownJobs(kind) {
  return [...store.jobs.values()].filter((job) => job.kind === kind && job.tab === TAB).reverse();
}

export function otherTabsJobs(kind) {
  return [...store.jobs.values()].filter((job) => job.kind === kind && job.tab !== TAB && (job.result || job.state === "stopped")).reverse();
}

export function isOver(job) {
  return job.state === "done" || job.state === "failed" || job.state === "stopped";
}

export function heardJob(job) {
  const before = store.jobs.get(job.id) ?? null;
  store.jobs.set(job.id, job);
  tell("job", { job, before });
}

/** A job was deleted, here, in another tab or after its hour. */
export function jobGone(id) {
  const before = store.jobs.get(id);
  if (!store.jobs.delete(id)) return;
  tell("job", { job: { ...before, state: "gone" }, before });
}

/** Upload photos one after the other; a bad one says so in its place and does not hold up the others. */
export async function addPhotos(files) {
  const rows = [...files].map((file) => ({ name: file.name || "pasted.png", pending: true, file }));
  const first = rows[0];
  store.photos.push(...rows);
  tell("photos");
  for (const row of rows) {
    try {
      const picture = remember(await upload(row.file, row.name));
      replace(row, picture);
      if (row === first || !store.current?.id) choose(picture);
      if (picture.job) tell("recipe", picture.job);
    } catch (error) {
      replace(row, { name: row.name, error: error.message });
      announce(`${row.name}: ${error.message}`);
    }
    tell("photos");
  }
}

function replace(row, by) {
  const place = store.photos.indexOf(row);
  if (place >= 0) store.photos.splice(place, 1, by);
}

/** Take an example or another picture that the server has already. */
export function takePicture(picture) {
  remember(picture);
  if (!store.photos.some((photo) => photo.id === picture.id)) store.photos.push(picture);
  choose(picture);
}

export function choose(picture) {
  store.current = picture;
  tell("photos");
}

export function dropPhoto(photo) {
  const place = store.photos.indexOf(photo);
  store.photos.splice(place, 1);
  if (store.current === photo) store.current = ready()[Math.max(0, place - 1)] ?? null;
  tell("photos");
}

/** Keep the photos over a reload of the page; the server has the pictures themselves. */
export function keepPhotos() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("impasto-photos") ?? "null");
    store.photos.push(...(kept?.photos ?? []).map(remember));
    store.current = store.photos.find((photo) => photo.id === kept?.current) ?? null;
  } catch { /* Without storage a reload begins anew. */ }
  on("photos", () => {
    try {
      sessionStorage.setItem("impasto-photos", JSON.stringify({ photos: ready(), current: store.current?.id }));
    } catch { /* As above. */ }
  });
}

/** Ask for what the server offers. Throws Away and Refused. */
export async function refreshOffer() {
  const offer = await call("api/start");
  if (offer.examples) [...offer.examples.photos, ...offer.examples.paintings].forEach(remember);
  const changed = JSON.stringify(offer) !== JSON.stringify(store.offer);
  store.offer = offer;
  if (changed) tell("offer");
  return offer;
}
