// Who is in front: the billboard, a preview, the detail window, the search, the player.
//
// Each is an object with pause(), resume() and, if it wants keys, key(event). Only the one
// in front may play a video and sees the keyboard; what it covers is paused, and resumed
// when it leaves. So one video plays at a time, at most.

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
  if (!event.ctrlKey && !event.metaKey && !event.altKey) front()?.key?.(event);
});

// A hidden tab plays nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) front()?.pause();
  else front()?.resume();
});
