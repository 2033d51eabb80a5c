/** A picture on the stage, the one before or the one after. */

import { h } from "./dom.js";

export class Side {
  /** `onChange` is called when another picture is there. */
  constructor(name, onChange) {
    this.url = null;
    this.onChange = onChange;
    this.element = h("div", { class: `side ${name}` });
  }

  /** The image that is shown, if one is. */
  get picture() {
    return this.element.firstChild;
  }

  /** Show a picture as soon as it is decoded, so that a growing one never blinks; `isOther` takes the last one away now. */
  show(url, { alt, isOther, fallback = null }) {
    if (this.asked === url) return;
    this.asked = url;
    if (isOther) this.element.replaceChildren();
    this.#load(url, alt, fallback);
  }

  #load(url, alt, fallback) {
    this.url = url;
    if (url === null) {
      this.element.replaceChildren();
      return;
    }
    const picture = h("img", { src: url, alt, draggable: "false" });
    const put = () => {
      if (this.url !== url) return;
      this.element.replaceChildren(picture);
      this.onChange();
    };
    // A browser does not show each kind of file that Impasto reads; the server makes a JPEG of those.
    picture.decode().then(put, () => this.url === url && fallback && fallback !== url && this.#load(fallback, alt, null));
  }
}
