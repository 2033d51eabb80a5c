"use strict";
const at = (id) => document.getElementById(id);
const NAMES = {
  upscale: "Make it twice as large",
  stylize: "Paint it in a style, at once",
  dream: "Dream",
  transfer: "Paint it in a style, slowly and better",
};
const STATES = { queued: "Waiting for its turn", running: "At work", waiting: "Waiting for the image server",
                 done: "Done", failed: "It failed", cancelled: "Cancelled" };
let offer = { kinds: [], with_style: [], megabytes: 0 };
let watched = null; // the connection that brings the progress

async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, { method, body });
  } catch {
    throw new Error("The service does not answer. Check your connection and try again.");
  }
  const content = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Error(typeof content.detail === "string" ? content.detail : "This is not possible.");
  return content;
}

async function begin() {
  try {
    offer = await call("GET", "offer");
  } catch (error) {
    at("error").textContent = error.message;
    setTimeout(begin, 5000);
    return;
  }
  at("error").textContent = offer.kinds.length ? "" : "The image server has no models yet.";
  at("kind").replaceChildren(...offer.kinds.map((kind) => new Option(NAMES[kind], kind)));
  at("start").disabled = !offer.kinds.length;
  chosen();
}

function chosen() {
  const wanted = offer.with_style.includes(at("kind").value);
  at("style-field").hidden = !wanted;
  at("style").required = wanted;
}

async function upload(id) {
  const file = at(id).files[0];
  if (file.size > offer.megabytes * 1e6) throw new Error(`${file.name} is larger than ${offer.megabytes} MB.`);
  return (await call("POST", "pictures", file)).picture;
}

async function start(event) {
  event.preventDefault();
  at("error").textContent = "";
  at("start").disabled = true;
  try {
    const order = new URLSearchParams({ kind: at("kind").value, photo: await upload("photo") });
    if (at("style").required) order.set("style", await upload("style"));
    location.hash = (await call("POST", `jobs?${order}`)).job; // so that the page can be loaded again meanwhile
    watch();
  } catch (error) {
    at("error").textContent = error.message;
  }
  at("start").disabled = false;
}

function watch() {
  const job = location.hash.slice(1);
  watched?.close();
  at("job").hidden = !job;
  if (!job) return;
  show({ state: "queued", done: 0, total: 0, message: "" }, job);
  watched = new EventSource(`jobs/${encodeURIComponent(job)}/events`); // it connects again by itself
  watched.onmessage = (event) => show(JSON.parse(event.data), job);
  watched.onerror = () => {
    if (watched.readyState !== EventSource.CLOSED) return;
    show({ state: "failed", done: 0, total: 0, message: "It is no longer there. Start it again." }, job);
  };
}

function show(news, job) {
  const last = ["done", "failed", "cancelled"].includes(news.state);
  if (last) watched?.close();
  const count = news.total && !last ? ` (${news.done} of ${news.total})` : "";
  at("state").textContent = STATES[news.state] + count + (news.message && `: ${news.message}`);
  at("progress").hidden = last;
  at("progress").max = news.total || 1;
  if (news.total) at("progress").value = news.done;
  else at("progress").removeAttribute("value");
  at("delete").hidden = last && news.state !== "done";
  at("delete").textContent = last ? "Delete the result" : "Cancel";
  at("result").hidden = news.state !== "done";
  if (news.state === "done") {
    at("picture").src = at("download").href = `jobs/${encodeURIComponent(job)}/result`;
    at("download").download = "picture.png";
  }
}

async function remove() {
  try {
    await call("DELETE", `jobs/${encodeURIComponent(location.hash.slice(1))}`);
    history.replaceState(null, "", location.pathname);
    watch();
    at("start").focus();
  } catch (error) {
    at("error").textContent = error.message;
  }
}

at("form").addEventListener("submit", start);
at("kind").addEventListener("change", chosen);
at("delete").addEventListener("click", remove);
begin();
watch();
