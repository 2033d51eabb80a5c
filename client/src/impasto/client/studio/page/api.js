/** Calls to Studio's server, and the stream of what its jobs do. */

const BASE = new URL(".", document.baseURI);

/** A reload keeps a tab's name, so that its jobs go on; another tab has another one. */
export const TAB = tabName();

function tabName() {
  const made = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  try {
    const kept = sessionStorage.getItem("impasto-tab") ?? made();
    sessionStorage.setItem("impasto-tab", kept);
    return kept;
  } catch {
    return made();
  }
}

/** Studio refused: `message` says why and what helps, `field` which field it is about. */
export class Refused extends Error {
  constructor(message, status, field) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** Studio did not answer at all. */
export class Away extends Error {
  constructor() {
    super("Studio does not answer. Your pictures are kept here; try again in a moment.");
  }
}

export async function call(path, { method = "GET", body = null, signal = null } = {}) {
  const headers = { "X-Impasto": "1" };
  const isFile = body instanceof Blob;
  if (body !== null) headers["Content-Type"] = isFile ? body.type || "application/octet-stream" : "application/json";
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {
      method, headers, signal, body: body === null || isFile ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away();
  }
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : answer.json();
}

async function refusal(answer) {
  let told = {};
  try { told = await answer.json(); } catch { /* A proxy's page is no text for people. */ }
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("impasto-login"));
  return new Refused(told.error ?? `Studio answered ${answer.status}. Try again in a moment.`, answer.status, told.field ?? null);
}

export function upload(file, name) {
  return call(`api/pictures?name=${encodeURIComponent(name)}`, { method: "POST", body: file });
}

/** Listen to the jobs. The stream opens itself anew when it breaks, and begins with all jobs as they are. */
export function listen({ onJob, onGone, onOpen, onLost }) {
  const url = new URL(`api/events?tab=${encodeURIComponent(TAB)}`, BASE);
  let stream = null;
  let again = null;
  const open = () => {
    stream = new EventSource(url);
    stream.onopen = onOpen;
    stream.onmessage = (event) => {
      const told = JSON.parse(event.data);
      if (told.gone) onGone(told.id);
      else onJob(told);
    };
    stream.onerror = () => {
      onLost();
      // A browser gives up where the answer was no stream, as while a proxy says that Studio starts.
      if (stream.readyState === EventSource.CLOSED) {
        clearTimeout(again);
        again = setTimeout(open, 2000);
      }
    };
  };
  open();
  return () => { clearTimeout(again); stream.close(); };
}
