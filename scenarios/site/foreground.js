// Who is in front: the gate, the billboard, a preview, the detail window, the search, the player.
//
// Each is an object with pause(), resume(), area() (the elements among which the arrow keys
// move) and, if it wants other keys, key(event). Only the one in front may play a video and
// sees the keyboard; what it covers is paused, and resumed when it leaves. So one video plays
// at a time, at most.

import { isArrow, move } from "./spatial.js";

const stack = [];

const front = () => stack[stack.length - 1];

export const isFront = (view) => front() === view;

export function enter(view) {
  if (isFront(view)) return;
  front()?.pause();
  stack.push(view);
}

export function leave(view) {
  const wasFront = isFront(view);
  const place = stack.lastIndexOf(view);
  if (place >= 0) stack.splice(place, 1);
  if (wasFront) front()?.resume();
}

document.addEventListener("keydown", (event) => {
  const view = front();
  if (!view || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  view.key?.(event);
  if (event.defaultPrevented || !isArrow(event.key)) return;
  if (move(event.key, view.area())) event.preventDefault();
});

// A hidden tab plays nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) front()?.pause();
  else front()?.resume();
});
