// The profile gate: who is watching?

import { arrived, el } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";

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
  return el("span", { class: "wordmark" }, el("img", { src: "lumen.svg", alt: "" }), "lumen");
}

const FACES = Object.keys(MOUTHS);

// Shows the gate; resolves with the person chosen, as the gate begins to fade.
export function showGate(people) {
  return new Promise((resolve) => {
    const gate = el("section", { class: "gate", "aria-label": "Profiles" });
    const view = { pause() {}, resume() {}, area: () => [gate] };
    let editing = false;

    async function choose(person) {
      gate.inert = true;
      gate.classList.add("leaving");
      foreground.leave(view);
      resolve(person);
      await arrived(gate);
      gate.remove();
    }
    // While profiles are managed, a click gives another face.
    function press(person, button) {
      if (!editing) return choose(person);
      person.face = FACES[(FACES.indexOf(person.face) + 1) % FACES.length];
      return button.querySelector(".face").replaceWith(face(person));
    }
    function tile(person) {
      const button = el("button", { class: "person", "aria-label": person.name, onclick: () => press(person, button) },
        face(person), el("span", { class: "person-pencil" }, icon("pencil", 34)), el("span", { class: "person-name" }, person.name));
      return button;
    }
    const manage = el("button", { class: "outline", "aria-label": "Manage profiles", "aria-pressed": "false", onclick: toggle }, "Manage profiles");
    const heading = el("h1", {}, "Who's watching?");
    function toggle() {
      editing = !editing;
      gate.classList.toggle("editing", editing);
      heading.textContent = editing ? "Choose a face" : "Who's watching?";
      manage.textContent = editing ? "Done" : "Manage profiles";
      manage.setAttribute("aria-label", manage.textContent);
      manage.setAttribute("aria-pressed", String(editing));
    }

    gate.append(wordmark(), heading, el("div", { class: "people" }, people.map(tile)), manage);
    document.body.append(gate);
    foreground.enter(view);
  });
}
