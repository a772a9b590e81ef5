// The profile gate: who is watching?

import { el } from "./element.js";

const EYES = '<circle cx="34" cy="42" r="5"/><circle cx="66" cy="42" r="5"/>';
const MOUTHS = {
  smile: `${EYES}<path d="M30 62q20 18 40 0" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round"/>`,
  calm: `${EYES}<path d="M34 67h32" stroke="#fff" stroke-width="5" stroke-linecap="round"/>`,
  wink: '<circle cx="34" cy="42" r="5"/><path d="M59 42h14" stroke="#fff" stroke-width="5" stroke-linecap="round"/><path d="M34 62q18 14 34-2" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round"/>',
  laugh: `${EYES}<path d="M30 58h40q-4 20-20 20t-20-20z"/>`,
};

// A person's face on a coloured tile.
export function face(person) {
  const tile = el("span", {
    class: "face", "aria-hidden": "true",
    style: `--one: hsl(${person.hue} 75% 58%); --two: hsl(${person.hue + 45} 70% 38%)`,
  });
  tile.innerHTML = `<svg viewBox="0 0 100 100" fill="#fff">${MOUTHS[person.face]}</svg>`;
  return tile;
}

export function wordmark() {
  return el("span", { class: "wordmark" }, el("img", { src: "lumen.svg", alt: "", width: 26, height: 26 }), "lumen");
}

// Shows the gate; resolves with the person chosen, as the gate begins to fade.
export function showGate(people) {
  return new Promise((resolve) => {
    const gate = el("section", { class: "gate", "aria-label": "Profiles" });
    const choose = (person) => {
      gate.inert = true;
      gate.classList.add("leaving");
      gate.addEventListener("transitionend", (event) => event.target === gate && gate.remove());
      resolve(person);
    };
    const tile = (person) =>
      el("button", { class: "person", "aria-label": person.name, onclick: () => choose(person) },
        face(person), el("span", { class: "person-name" }, person.name));
    gate.append(
      wordmark(),
      el("h1", {}, "Who's watching?"),
      el("div", { class: "people" }, people.map(tile)),
      el("button", { class: "outline", "aria-label": "Manage profiles" }, "Manage profiles"),
    );
    gate.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const tiles = [...gate.querySelectorAll(".person")];
      const at = tiles.indexOf(document.activeElement);
      tiles[(at + step + tiles.length) % tiles.length].focus();
    });
    document.body.append(gate);
  });
}
