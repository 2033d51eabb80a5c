/** Ways for pictures to come in: dropped, chosen, pasted, or an example taken. */

import { upload } from "./api.js";
import { announce, h, icon, signButton } from "./dom.js";
import { addPhotos, choose, dropPhoto, on, remember, store, takePicture } from "./store.js";

/** A button that opens the browser's file dialogue. */
export function fileButton(text, { multiple = false, onFiles, sign = "plus", look = "button", label = null }) {
  const input = h("input", { type: "file", accept: "image/*", multiple, class: "unseen", "aria-label": label });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) onFiles(files);
  });
  return h("label", { class: look }, input, icon(sign), h("span", {}, text));
}

export function thumbnail(picture, side = 256) {
  const url = new URL(picture.thumb, document.baseURI);
  url.searchParams.set("side", side);
  return h("img", { src: url.href, alt: "", loading: "lazy", draggable: "false" });
}

export function nameOf(picture) {
  return picture.name.replace(/\.[a-z]+$/i, "");
}

/** What the stage says while there is no photo. */
export function invitation() {
  const examples = h("div", { class: "examples" });
  const refresh = () => {
    const photos = store.offer?.examples?.photos ?? [];
    examples.replaceChildren(...photos.map((photo) =>
      h("button", { type: "button", class: "example", "aria-label": `Try the example ${nameOf(photo)}`, title: photo.credit ?? nameOf(photo),
                    on: { click: () => takePicture(photo) } }, thumbnail(photo))));
    hint.hidden = photos.length === 0;
  };
  const hint = h("p", { class: "soft" }, "or begin with one of these");
  on("offer", refresh);
  refresh();
  return h("div", { class: "invitation" },
           h("p", { class: "call" }, "Drop a photo here"),
           fileButton("Choose photos", { multiple: true, onFiles: addPhotos, sign: "photo", look: "button main" }),
           hint, examples);
}

/** The row of photos below the stage; the chosen one is shown and worked on. */
export function tray() {
  const row = h("div", { class: "tray", role: "group", "aria-label": "Your photos", hidden: true });
  const refresh = () => {
    row.hidden = store.photos.length === 0;
    const focused = row.contains(document.activeElement);
    row.replaceChildren(...store.photos.map(trayItem),
                        fileButton("Add", { multiple: true, onFiles: addPhotos, look: "add", label: "Add photos" }));
    if (focused) row.querySelector("[aria-pressed=true]")?.focus();
  };
  on("photos", refresh);
  refresh();
  return row;
}

function trayItem(photo) {
  const remove = signButton("close", `Put away ${photo.name}`, { class: "sign away", on: { click: () => dropPhoto(photo) } });
  if (photo.pending) return h("div", { class: "item waiting" }, h("span", { class: "soft" }, photo.name, " …"));
  if (photo.error) return h("div", { class: "item bad" }, h("span", { role: "alert" }, h("strong", {}, photo.name), " ", photo.error), remove);
  const chosen = photo === store.current;
  return h("div", { class: "item" },
           h("button", { type: "button", class: "thumb", "aria-pressed": String(chosen), "aria-label": `Show ${photo.name}`,
                         on: { click: () => choose(photo) } }, thumbnail(photo, 128)),
           remove);
}

/** A field that holds one picture, such as a guide or an original. */
export function pictureField({ text, onChange = () => {} }) {
  let picture = null;
  const shown = h("span", { class: "chosen" });
  const problem = h("p", { class: "problem", role: "alert" });
  const take = async ([file]) => {
    try {
      set(remember(await upload(file, file.name)));
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const set = (given) => {
    picture = given;
    problem.textContent = "";
    shown.replaceChildren(...(given ? [thumbnail(given, 128), h("span", {}, given.name),
                                       signButton("close", `Take away ${given.name}`, { on: { click: () => set(null) } })] : []));
    onChange(given);
  };
  const element = h("div", { class: "one-picture" }, fileButton(text, { onFiles: take, look: "button small" }), shown, problem);
  receiveDrops(element, take);
  return { element, set, get value() { return picture?.id; } };
}

/** Let files be dropped on an element, which then says so by its look. */
export function receiveDrops(element, onFiles) {
  element.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("dropping");
  });
  element.addEventListener("dragleave", (event) => !element.contains(event.relatedTarget) && element.classList.remove("dropping"));
  element.addEventListener("drop", (event) => {
    element.classList.remove("dropping");
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    onFiles(files);
  });
}

/** Photos may be dropped anywhere, and pasted where no text is written. */
export function receiveEverywhere() {
  receiveDrops(document.body, addPhotos);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    announce(files.length === 1 ? "A picture was pasted" : `${files.length} pictures were pasted`);
    const receiver = document.activeElement?.closest?.("[data-pastes]");
    if (receiver) receiver.dispatchEvent(new CustomEvent("impasto-files", { detail: files }));
    else addPhotos(files);
  });
}
