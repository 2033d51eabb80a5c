/** Studio's page: which part is shown, whether the servers are there, and who may look. */

import { Refused, call, listen } from "./api.js";
import { announce, h, icon } from "./dom.js";
import { dreamPage } from "./dream.js";
import { tellCourse } from "./jobs.js";
import { receiveEverywhere } from "./pictures.js";
import { ServerPage } from "./server.js";
import { heardJob, jobGone, keepPhotos, on, refreshOffer, store } from "./store.js";
import { stylizePage } from "./stylize.js";
import { transferPage } from "./transfer.js";
import { upscalePage } from "./upscale.js";

const WHEN_AWAY = 3000;
const WHEN_WELL = 20000;
const main = document.getElementById("main");
const banner = document.getElementById("banner");

let pages = null;
let shown = null;
let lost = false;
let stopListening = null;

function route() {
  const name = location.hash.slice(1);
  return name in pages ? name : "upscale";
}

/** Pages stay as they are while another one is looked at. */
function show() {
  if (!pages) return;
  const name = route();
  if (shown === name) return;
  const isFirst = shown === null;
  pages[shown]?.hidden?.();
  shown = name;
  for (const [other, page] of Object.entries(pages)) page.element.hidden = other !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${pages[name].element.querySelector("h1").textContent} · Impasto Studio`;
  pages[name].shown?.();
  if (!isFirst) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    announce(document.title);
  }
}

function tellBanner() {
  const offer = store.offer;
  const text = lost ? "Studio does not answer. Trying again …" : offer?.server_error ? `${offer.server_error} This page goes on by itself.` : "";
  if (banner.textContent && !text) announce("The server is back");
  banner.classList.toggle("shown", Boolean(text));
  if (banner.textContent !== text) banner.textContent = text;
}

async function watch() {
  let wait = WHEN_AWAY;
  try {
    const offer = document.hidden && store.offer ? store.offer : await refreshOffer();
    lost = false;
    if (offer.login) return login();
    if (!offer.server_error) wait = WHEN_WELL;
    begin();
  } catch (error) {
    lost = !(error instanceof Refused) || error.status >= 500;
  }
  tellBanner();
  clearTimeout(watch.timer);
  watch.timer = setTimeout(watch, wait);
  return undefined;
}

function begin() {
  if (pages) return;
  pages = { upscale: upscalePage(), stylize: stylizePage(), dream: dreamPage(), transfer: transferPage(), server: new ServerPage() };
  main.replaceChildren(...Object.values(pages).map((page) => page.element));
  stopListening = listen({ onJob: heardJob, onGone: jobGone, onOpen: opened, onLost: () => { lost = true; tellBanner(); } });
  show();
}

async function opened() {
  lost = false;
  tellBanner();
  try {
    const kept = new Set((await call("api/jobs")).map((job) => job.id));
    for (const id of [...store.jobs.keys()]) if (!kept.has(id)) jobGone(id);
  } catch { /* The stream itself tells when Studio is away. */ }
  watch();
}

function login() {
  stopListening?.();
  [pages, shown, store.offer] = [null, null, null];
  clearTimeout(watch.timer);
  const token = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true, "aria-describedby": "token-problem" });
  const problem = h("p", { class: "problem", id: "token-problem", role: "alert" });
  const enter = async (event) => {
    event.preventDefault();
    try {
      await call("api/login", { method: "POST", body: { token: token.value } });
      watch();
    } catch (error) {
      problem.textContent = error.status === 403 ? "That is not the token. It is the one that Studio was started with." : error.message;
      token.select();
    }
  };
  main.replaceChildren(h("form", { class: "login", on: { submit: enter } }, h("h1", {}, "Welcome"), h("label", { for: "token" }, "Token"), token,
                         problem, h("button", { class: "main", type: "submit" }, "Come in")));
  token.focus();
}

function themeSwitch() {
  const switcher = document.getElementById("theme");
  const root = document.documentElement;
  const names = ["system", "light", "dark"];
  const tellTheme = () => {
    const now = root.dataset.theme ?? "system";
    const name = { system: "Auto", light: "Light", dark: "Dark" }[now];
    switcher.replaceChildren(icon("theme"), h("span", {}, name));
    switcher.setAttribute("aria-label", `Theme: ${name}`);
    switcher.title = `Theme: ${name}`;
  };
  switcher.addEventListener("click", () => {
    const next = names[(names.indexOf(root.dataset.theme ?? "system") + 1) % names.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try { localStorage.setItem("impasto-theme", next); } catch { /* It lasts until the page is left, then. */ }
    tellTheme();
  });
  tellTheme();
}

/** A result of ours that was dropped brings its settings along. */
on("recipe", (job) => {
  if (!pages?.[job.kind]?.fill) return;
  location.hash = `#${job.kind}`;
  pages[job.kind].fill(job.fields ?? {});
  announce("The settings that made this picture are filled in");
});
on("job", ({ job, before }) => job.state !== "gone" && tellCourse(job, before));
on("job", ({ job, before }) => (job.state === "failed" || Boolean(job.note) !== Boolean(before?.note)) && before && watch());

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // Its address would be taken for a page.
  main.focus();
});
document.addEventListener("impasto-login", login);
document.addEventListener("visibilitychange", () => document.hidden || watch());
addEventListener("hashchange", show);
themeSwitch();
keepPhotos();
receiveEverywhere();
watch();
