// Where the viewer's pictures come from: WebCodecs on the access units, or, where there are
// none to be had (a page opened from a file, a large stream), the MP4 in a <video> that seeks.

class Pictures {
  // One is brought after the other.
  constructor(stream) {
    this.stream = stream;
    this.queue = Promise.resolve();
    this.asked = new AbortController();
  }

  // A picture as something that drawImage takes; null where another one was asked for meanwhile:
  // a key that is held asks for more than can be decoded. Rejects with what went wrong.
  get(picture) {
    this.asked.abort();
    this.asked = new AbortController();
    const {signal} = this.asked;
    const result = this.queue.then(() => signal.aborted ? null : this.bring(picture, signal));
    this.queue = result.catch(() => {});
    return result;
  }
}

class DecodedPictures extends Pictures {
  // Steps back are kept: decoding can only begin at a keyframe.
  constructor(data, bytes) {
    super(data.stream);
    this.bytes = bytes;
    this.kept = new Map();
    this.keep = Math.max(6, Math.min(48, Math.floor(150e6 / (data.width * data.height * 4))));
    this.next = -1;
    this.waiting = null;
  }

  bring(picture, signal) {
    return this.kept.get(picture) || this.decodeTo(picture, signal);
  }

  reset() {
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
    this.decoder = new VideoDecoder({
      output: (frame) => this.take(frame),
      error: (error) => {
        this.next = -1;
        if (this.waiting) this.waiting.reject(error);
      },
    });
    this.decoder.configure({
      codec: this.stream.codec,
      description: bytesOf(this.stream.setup),
      optimizeForLatency: true, // each picture comes out at once, without a flush
    });
  }

  async take(frame) {
    const picture = frame.timestamp / 1000;
    const waiting = this.waiting;
    if (!waiting || picture <= waiting.picture - this.keep) {
      frame.close();
      return;
    }
    const image = await createImageBitmap(frame);
    frame.close();
    const before = this.kept.get(picture);
    if (before) before.close();
    this.kept.set(picture, image);
    if (picture === waiting.picture) waiting.resolve(image);
  }

  async decodeTo(picture, signal) {
    const key = this.stream.keys.filter((k) => k <= picture).pop();
    if (key === undefined) throw new Error("no keyframe before this picture");
    if (this.next < 0 || this.next > picture || this.next < key) {
      this.reset();
      this.next = key;
    }
    for (const [number, image] of this.kept) {
      if (Math.abs(number - picture) > this.keep) {
        image.close();
        this.kept.delete(number);
      }
    }
    let timer;
    const done = new Promise((resolve, reject) => {
      this.waiting = {picture, resolve, reject};
    });
    done.catch(() => {});
    try {
      const decoder = this.decoder;
      while (this.next <= picture && decoder.state === "configured") {
        const number = this.next++;
        const from = this.stream.offsets[number];
        decoder.decode(new EncodedVideoChunk({
          type: this.stream.keys.includes(number) ? "key" : "delta",
          timestamp: number * 1000,
          data: this.bytes.subarray(from, from + this.stream.sizes[number]),
        }));
        while (decoder.decodeQueueSize > 16) await new Promise((wake) => setTimeout(wake, 1));
        if (signal.aborted && this.next <= picture) return null; // the next request goes on here
      }
      return await Promise.race([done, new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("the decoder gives no picture")), 15000);
      })]);
    } catch (error) {
      this.next = -1;
      throw error;
    } finally {
      clearTimeout(timer);
      this.waiting = null;
    }
  }
}

class SoughtPictures extends Pictures {
  // `seeked` can come before the picture does: on a busy machine a canvas is then given the one
  // before it. So the video tells which picture it presents, where the browser can.
  constructor(data, video) {
    super(data.stream);
    this.video = video;
    this.tells = "requestVideoFrameCallback" in video;
    this.presented = -1; // the picture on show
    this.arrived = () => {};
    const told = (_, {mediaTime}) => {
      this.presented = this.pictureAt(mediaTime);
      this.arrived();
      video.requestVideoFrameCallback(told);
    };
    if (this.tells) video.requestVideoFrameCallback(told);
  }

  // The picture whose time this is, in seconds, but for what was lost in rounding both. The
  // nearest one: a picture that stands for long begins close behind the one before it.
  pictureAt(time) {
    const {times} = this.stream;
    const after = times.findIndex((t) => t > time);
    if (after < 0) return times.length - 1;
    return after > 0 && time - times[after - 1] < times[after] - time ? after - 1 : after;
  }

  async bring(picture, signal) {
    const {times} = this.stream;
    const from = times[picture];
    const until = picture + 1 < times.length ? times[picture + 1] : from + 0.04;
    const {video} = this;
    // Where the video is already it presents nothing anew, and one in the background presented
    // nothing at all: so not to the same place twice.
    this.part = this.part === 0.5 ? 0.4 : 0.5;
    const ended = new AbortController();
    const hear = (target, type, act) => target.addEventListener(type, act, {signal: ended.signal});
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        // The event can be an earlier seek's, which this one cut short.
        const here = () => !video.seeking && (!this.tells || this.presented === picture);
        this.arrived = () => here() && resolve(video);
        const broken = () => reject(new Error(video.error.message || "the video is broken"));
        hear(video, "seeked", this.arrived);
        hear(video, "error", broken);
        hear(signal, "abort", () => resolve(null));
        // Ten minutes behind one keyframe take a minute to decode.
        timer = setTimeout(() => reject(new Error("the video does not seek")), 180000);
        if (video.error) broken();
        else video.currentTime = from + (until - from) * this.part;
      });
    } finally {
      clearTimeout(timer);
      ended.abort();
      this.arrived = () => {};
    }
  }
}

async function openPictures(data, say) {
  const codecs = typeof VideoDecoder === "function";
  const stream = data.stream;
  if (codecs && stream.embedded) {
    return new DecodedPictures(data, bytesOf(document.getElementById("stream").textContent));
  }
  if (codecs && !stream.embedded && location.protocol.startsWith("http")) {
    try {
      const answer = await fetch(stream.file);
      if (answer.ok) return new DecodedPictures(data, new Uint8Array(await answer.arrayBuffer()));
    } catch { /* said below */ }
  }
  const video = element("video", {muted: true, preload: "auto", src: stream.file});
  const pictures = new SoughtPictures(data, video);
  const loaded = await new Promise((resolve) => {
    video.addEventListener("loadeddata", () => resolve(true), {once: true});
    video.addEventListener("error", () => resolve(false), {once: true});
  });
  const why = codecs
    ? `The stream is too large to lie in this page`
    : "This browser has no WebCodecs here";
  if (loaded) {
    say(`${why}: pictures come from ${stream.file} beside it, by seeking.` +
      (codecs ? " Choose that file here to step faster." : ""), codecs);
    return pictures;
  }
  say(codecs
    ? `${why}, and ${stream.file} is not beside it: choose that file to see the pictures.`
    : `${why}, and ${stream.file} is not beside it: open the page in Chrome or Edge.`, codecs);
  return null;
}
