// Runs in every frame of the page. Tells the harness where videos are seen and whether
// they play, only when that changes. It never asks for a frame: what it knows comes from
// requestVideoFrameCallback (called when a video shows a new frame anyway), media events,
// observers and scrolling.
(() => {
  'use strict';
  const report = window.__uispliceVideos;
  if (typeof report !== 'function' || window.__uispliceWatching) return;
  Object.defineProperty(window, '__uispliceWatching', { value: true });

  const STALE_MS = 1000; // without a new frame for so long, none is expected any more
  const MEDIA_EVENTS = ['play', 'playing', 'pause', 'ended', 'seeking', 'seeked', 'waiting',
    'emptied', 'loadeddata', 'resize', 'error'];
  const LAYOUT_EVENTS = ['scroll', 'resize', 'transitionend', 'animationend',
    'fullscreenchange'];
  const HAVE_CURRENT_DATA = 2;

  // One document, one token: a report of a new document replaces the old one's videos.
  const token = `${performance.timeOrigin}-${Math.random()}`;
  const watched = new Map(); // video -> its state
  let next = 1;
  let last = '';
  let queued = false;

  const empty = { left: 0, top: 0, right: 0, bottom: 0 };
  const meet = (a, b) => ({
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  });
  const isEmpty = (r) => !(r.right > r.left && r.bottom > r.top);

  // The parent in the flat tree: through slots and out of shadow roots.
  const parentOf = (element) => element.assignedSlot || element.parentElement ||
    (element.getRootNode() instanceof ShadowRoot ? element.getRootNode().host : null);

  const holdsFixed = (style) => style.transform !== 'none' || style.perspective !== 'none' ||
    style.filter !== 'none' || /transform|perspective|filter/.test(style.willChange) ||
    /paint|layout|strict|content/.test(style.contain);

  // The part of `rect` that the ancestors of `element` let through. Positions follow the
  // containing block: an absolute element is not clipped by a static ancestor.
  const clipped = (element, rect) => {
    const view = element.ownerDocument.defaultView;
    const root = element.ownerDocument.documentElement;
    const body = element.ownerDocument.body;
    let position = view.getComputedStyle(element).position;
    for (let at = parentOf(element); at && at !== root; at = parentOf(at)) {
      const style = view.getComputedStyle(at);
      if (position === 'fixed' && !holdsFixed(style)) continue;
      if (position === 'absolute' && style.position === 'static' && !holdsFixed(style)) continue;
      position = style.position;
      if (at === body) continue; // the body's overflow belongs to the view
      const x = style.overflowX !== 'visible';
      const y = style.overflowY !== 'visible';
      if (!x && !y && !/paint|strict|content/.test(style.contain)) continue;
      const box = at.getBoundingClientRect();
      const sx = at.offsetWidth ? box.width / at.offsetWidth : 1;
      const sy = at.offsetHeight ? box.height / at.offsetHeight : 1;
      const left = box.left + at.clientLeft * sx;
      const top = box.top + at.clientTop * sy;
      const none = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
      rect = meet(rect, {
        left: y && !x ? none.left : left,
        right: y && !x ? none.right : left + at.clientWidth * sx,
        top: x && !y ? none.top : top,
        bottom: x && !y ? none.bottom : top + at.clientHeight * sy,
      });
      if (isEmpty(rect)) return empty;
    }
    return meet(rect, { left: 0, top: 0, right: view.innerWidth, bottom: view.innerHeight });
  };

  // The frame element of `view` when its document may be looked at, else null.
  const frameOf = (view) => {
    try {
      return view.frameElement;
    } catch {
      return null;
    }
  };

  // In CSS pixels of the top document; null when a parent is of another origin.
  const visible = (video) => {
    const style = getComputedStyle(video);
    let rect = style.visibility === 'visible' ? clipped(video, video.getBoundingClientRect())
      : empty;
    for (let view = window; view !== view.top; view = view.parent) {
      const frame = frameOf(view);
      if (!frame) return null;
      if (isEmpty(rect)) return empty;
      const box = frame.getBoundingClientRect();
      const parent = frame.ownerDocument.defaultView;
      const padding = parent.getComputedStyle(frame);
      const sx = frame.offsetWidth ? box.width / frame.offsetWidth : 1;
      const sy = frame.offsetHeight ? box.height / frame.offsetHeight : 1;
      const x = box.left + (frame.clientLeft + parseFloat(padding.paddingLeft)) * sx;
      const y = box.top + (frame.clientTop + parseFloat(padding.paddingTop)) * sy;
      rect = clipped(frame, {
        left: x + rect.left * sx,
        right: x + rect.right * sx,
        top: y + rect.top * sy,
        bottom: y + rect.bottom * sy,
      });
    }
    return isEmpty(rect) ? empty : rect;
  };

  const isPlaying = (video, state) => !video.paused && !video.ended && !video.seeking &&
    video.readyState >= HAVE_CURRENT_DATA && !state.waiting && !state.stale;

  const snapshot = () => {
    const ratio = window.devicePixelRatio;
    const videos = [];
    let unplaced = 0;
    for (const [video, state] of watched) {
      if (!video.isConnected) {
        forget(video, state);
        continue;
      }
      const rect = visible(video);
      if (rect === null) {
        unplaced += 1;
        continue;
      }
      if (isEmpty(rect)) continue;
      videos.push({
        n: state.n,
        playing: isPlaying(video, state),
        left: rect.left * ratio,
        top: rect.top * ratio,
        right: rect.right * ratio,
        bottom: rect.bottom * ratio,
      });
    }
    return { token, videos, unplaced };
  };

  const update = () => {
    queued = false;
    const state = snapshot();
    const text = JSON.stringify(state);
    if (text === last) return;
    last = text;
    // Epoch milliseconds on the monotonic clock since this document began.
    state.at = performance.timeOrigin + performance.now();
    report(state);
  };

  // Many events of one task make one update.
  const later = () => {
    if (queued) return;
    queued = true;
    queueMicrotask(update);
  };

  const arm = (state) => {
    state.deadline = performance.now() + STALE_MS;
    if (state.timer === 0) state.timer = setTimeout(() => check(state), STALE_MS);
  };

  const check = (state) => {
    state.timer = 0;
    const left = state.deadline - performance.now();
    if (left > 0) {
      state.timer = setTimeout(() => check(state), left);
    } else if (!state.stale) {
      state.stale = true;
      later();
    }
  };

  const onFrame = (video, state) => {
    if (watched.get(video) !== state) return;
    state.waiting = false;
    state.stale = false;
    arm(state);
    update();
    state.callback = video.requestVideoFrameCallback(() => onFrame(video, state));
  };

  const forget = (video, state) => {
    watched.delete(video);
    clearTimeout(state.timer);
    video.cancelVideoFrameCallback(state.callback);
    sizes.unobserve(video);
    places.unobserve(video);
  };

  const watch = (video) => {
    if (watched.has(video)) return;
    const state = { n: next++, waiting: false, stale: false, deadline: 0, timer: 0, callback: 0 };
    watched.set(video, state);
    for (const name of MEDIA_EVENTS) {
      video.addEventListener(name, (event) => onMedia(event.type, video, state));
    }
    state.callback = video.requestVideoFrameCallback(() => onFrame(video, state));
    sizes.observe(video);
    places.observe(video);
    if (!video.paused) arm(state);
    later();
  };

  const onMedia = (type, video, state) => {
    // A video that was removed and is played again elsewhere is watched anew.
    if (watched.get(video) !== state) return;
    if (type === 'waiting' || type === 'emptied') state.waiting = true;
    if (type === 'play' || type === 'playing' || type === 'seeked') {
      state.waiting = false;
      state.stale = false;
      arm(state);
    }
    later();
  };

  const scan = (root) => {
    if (root instanceof HTMLVideoElement) watch(root);
    if (!root.querySelectorAll) return;
    for (const video of root.querySelectorAll('video')) watch(video);
  };

  const sizes = new ResizeObserver(later);
  const places = new IntersectionObserver(later, { threshold: [0, 0.25, 0.5, 0.75, 1] });

  // Added and removed elements only: no attribute is watched.
  const changes = new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) scan(node);
      }
    }
    if (watched.size > 0) later();
  });
  changes.observe(document, { childList: true, subtree: true });

  // Neither scans nor events reach into shadow roots: each is observed as it is made.
  const attachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (...options) {
    const root = attachShadow.apply(this, options);
    changes.observe(root, { childList: true, subtree: true });
    return root;
  };

  // Catches what scans miss, in time: a media event reaches the window in the capture phase.
  for (const name of MEDIA_EVENTS) {
    window.addEventListener(name, (event) => {
      if (event.target instanceof HTMLVideoElement) watch(event.target);
    }, { capture: true, passive: true });
  }

  // Moves of the parents move what this frame shows.
  const onLayout = () => {
    if (watched.size > 0) later();
  };
  const listened = [];
  for (let view = window; ; view = view.parent) {
    for (const name of LAYOUT_EVENTS) {
      view.addEventListener(name, onLayout, { capture: true, passive: true });
    }
    listened.push(view);
    if (view === view.top || !frameOf(view)) break;
  }
  window.addEventListener('pagehide', () => {
    for (const view of listened.slice(1)) {
      for (const name of LAYOUT_EVENTS) view.removeEventListener(name, onLayout, true);
    }
  });

  scan(document);
  update(); // also when there is none: the videos of the document before are gone
})();
