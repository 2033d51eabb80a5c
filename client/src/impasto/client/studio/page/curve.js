/** A loss as a curve, with its course in words for those who do not see it. */

import { h, say, svg } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 72;
const WIDE_RANGE = 20;

export class Curve {
  constructor(title) {
    this.title = title;
    this.line = svg("path", { class: "curve-line", "vector-effect": "non-scaling-stroke" });
    this.area = svg("path", { class: "curve-area" });
    this.picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", class: "curve-picture" }, this.area, this.line);
    this.now = h("span", { class: "curve-now" });
    this.element = h("figure", { class: "curve" }, h("figcaption", {}, h("span", {}, title), this.now), this.picture);
    this.draw([], 0);
  }

  /** Draw values over the share of the work that is done, so that the curve grows to the right and never shrinks. */
  draw(values, share) {
    const finite = values.filter(Number.isFinite);
    this.picture.setAttribute("aria-label", this.#words(finite));
    say(this.now, finite.length ? short(finite.at(-1)) : "–");
    const points = finite.length > 1 ? this.#points(finite, Math.min(1, share || 1)) : [];
    const path = points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    this.line.setAttribute("d", path);
    this.area.setAttribute("d", points.length ? `${path}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0]} ${HEIGHT}Z` : "");
  }

  #points(values, share) {
    let [least, most] = [Math.min(...values), Math.max(...values)];
    const scaled = least > 0 && most / least > WIDE_RANGE ? Math.log : (value) => value;
    [least, most] = [scaled(least), scaled(most)];
    const high = most - least || 1;
    const wide = (share * WIDTH) / (values.length - 1);
    return values.map((value, place) => [place * wide, HEIGHT - 4 - ((scaled(value) - least) / high) * (HEIGHT - 10)]);
  }

  #words(values) {
    if (!values.length) return `${this.title}: nothing yet`;
    const [first, last] = [values[0], values.at(-1)];
    const course = last > first ? "risen" : "fallen";
    return `${this.title}: ${course} from ${short(first)} to ${short(last)}`;
  }
}

function short(value) {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}
