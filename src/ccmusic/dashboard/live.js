// The microphone: its spectrogram is drawn here, and moves. About once a second Python gets the last
// ten seconds, if it has answered the time before. What was heard is kept with the element, for
// this function is called again with every answer.
const SECONDS = 10;
const RATE = 22050; // hertz: what the models see
const LEAST = 3; // seconds of sound before a model is asked
const LOW = 32.7, HIGH = 8372; // hertz: C1 to C9
const RANGE = 80; // dB from the loudest to black
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  kept = new Float32Array(2048);
  at = 0;
  process([[samples]]) {
    if (!samples) return true;
    this.kept.set(samples, this.at);
    this.at = (this.at + samples.length) % this.kept.length;
    if (this.at === 0) this.port.postMessage(this.kept.slice());
    return true;
  }
})`;
const MAGMA = ["000004", "160e3b", "51127c", "8c2981", "b73779", "de4968", "fc8961", "fec488", "fcfdbf"]
  .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

export default function ({ data, setTriggerValue, parentElement }) {
  const find = (name) => parentElement.querySelector(name);
  const live = (parentElement.live ??= { stream: null, sent: 0 });
  Object.assign(live, { data, setTriggerValue });
  for (const word of ["start", "stop", "ago", "now"]) find(`.${word}`).textContent = data[word];
  find("canvas").ariaLabel = data.picture;

  const say = (text) => {
    if (find(".state").textContent !== text) find(".state").textContent = text;
  };
  const show = (running) => {
    find(".start").hidden = running;
    find(".stop").hidden = !running;
  };

  // ---- the sound
  const open = async (stream) => {
    // Firefox joins a microphone only to a context of its own rate; Python resamples then.
    const context = new AudioContext({ sampleRate: RATE });
    try {
      return context.createMediaStreamSource(stream);
    } catch {
      await context.close();
      return new AudioContext().createMediaStreamSource(stream);
    }
  };

  const start = async () => {
    if (live.stream) return;
    for (const sound of document.querySelectorAll("audio")) sound.pause();
    if (!navigator.mediaDevices?.getUserMedia) {
      return say(isSecureContext ? data.unsupported : data.insecure);
    }
    say(data.waiting);
    try {
      // What makes speech clearer spoils music.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      live.stream = await navigator.mediaDevices.getUserMedia({ audio });
      if (!parentElement.isConnected) return release();
      const source = await open(live.stream);
      const { context } = source;
      live.context = context;
      await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
      const tap = new AudioWorkletNode(context, "tap", {
        numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
      });
      const analyser = new AnalyserNode(context, {
        fftSize: context.sampleRate > 1.5 * RATE ? 4096 : 2048, smoothingTimeConstant: 0,
      });
      source.connect(tap);
      source.connect(analyser);
      Object.assign(live, { analyser, sound: new Float32Array(SECONDS * context.sampleRate), heard: 0, asked: 0 });
      tap.port.onmessage = ({ data: samples }) => hear(samples);
      live.stream.getAudioTracks()[0].onended = () => { release(); say(live.data.ended); };
      await context.resume();
    } catch (error) {
      release();
      const reasons = {
        NotAllowedError: "refused", NotFoundError: "missing", OverconstrainedError: "missing", NotReadableError: "busy",
      };
      return say(data[reasons[error.name]] ?? `${data.failed} ${error.message}`);
    }
    say(data.listening);
    show(true);
    find(".stop").focus();
    draw();
  };

  const release = () => {
    cancelAnimationFrame(live.frame);
    for (const track of live.stream?.getTracks() ?? []) track.stop();
    if (live.context?.state !== "closed") live.context?.close();
    live.stream = live.context = null;
    show(false);
  };

  const hear = (samples) => {
    const { sound, context } = live;
    if (!context) return;
    sound.copyWithin(0, samples.length);
    sound.set(samples, sound.length - samples.length);
    live.heard += samples.length;
    const rate = context.sampleRate;
    const since = live.heard - live.asked;
    // An answer that got lost is not waited for for ever.
    const answered = live.data.answered === live.sent || since > 3 * SECONDS * rate;
    if (live.heard < LEAST * rate || since < rate || !answered) return;
    live.asked = live.heard;
    live.sent += 1;
    live.setTriggerValue("sound", { number: live.sent, ...packed() });
  };

  const packed = () => {
    const { sound, heard, context } = live;
    const kept = sound.subarray(sound.length - Math.min(heard, sound.length));
    const bytes = new Uint8Array(Int16Array.from(kept, (v) => 32767 * Math.min(1, Math.max(-1, v))).buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return { rate: context.sampleRate, samples: btoa(text) };
  };

  const stop = () => {
    const piece = live.heard ? packed() : null;
    release();
    say("");
    if (piece) live.setTriggerValue("piece", piece);
  };

  // ---- the picture
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const draw = () => {
    const canvas = find("canvas"), pen = canvas.getContext("2d");
    const { width, height } = canvas;
    const { analyser, context } = live;
    const levels = new Float32Array(analyser.frequencyBinCount);
    const bin = (row) => (LOW * (HIGH / LOW) ** (1 - row / height) * analyser.fftSize) / context.sampleRate;
    const stripe = pen.createImageData(1, height);
    const began = context.currentTime;
    let drawn = 0, loudest = -60;
    pen.clearRect(0, 0, width, height);
    const step = () => {
      if (!live.context) return;
      live.frame = requestAnimationFrame(step);
      const due = Math.floor(((context.currentTime - began) / SECONDS) * width);
      const columns = Math.min(due - drawn, width);
      if (columns < 1) return;
      analyser.getFloatFrequencyData(levels);
      loudest = Math.max(loudest - 0.05, -60, ...levels.subarray(2));
      for (let row = 0; row < height; row++) {
        let level = -Infinity;
        const last = Math.min(levels.length - 1, Math.ceil(bin(row)));
        for (let at = Math.floor(bin(row + 1)); at <= last; at++) level = Math.max(level, levels[at]);
        const colour = Math.min(0.999, Math.max(0, (level - loudest) / RANGE + 1)) * (MAGMA.length - 1);
        const below = MAGMA[Math.floor(colour)], above = MAGMA[Math.floor(colour) + 1];
        for (let c = 0; c < 3; c++) stripe.data[4 * row + c] = below[c] + (above[c] - below[c]) * (colour % 1);
        stripe.data[4 * row + 3] = 255;
      }
      // Who asks for little motion gets a line that is overwritten from left to right.
      if (!still) pen.drawImage(canvas, -columns, 0);
      for (let i = 0; i < columns; i++) {
        const x = still ? (drawn + i) % width : width - columns + i;
        pen.putImageData(stripe, x, 0);
        if (still) pen.clearRect((x + 1) % width, 0, 6, height);
      }
      drawn = due;
    };
    step();
  };

  find(".start").onclick = start;
  find(".stop").onclick = stop;
  return () => {
    // Only a window that is gone lets go of the microphone: an answer to it does not.
    setTimeout(() => { if (!parentElement.isConnected) release(); });
  };
}
