// What Streamlit has no word for: one player for all pictures of a sound. It plays the judged
// window or the region that is selected (region.js: its seconds and, by filters, its band), draws a
// playhead over every picture, moves the window to a click, and tells Python when Back was pressed.
const kept = (window.ccmusic ??= {});
kept.graphs ??= new WeakMap();
kept.voice ??= null;
const ORDER = 2; // filters in a row at each edge of a band: 24 dB per octave

export default component(({ data, setTriggerValue, parentElement }) => {
  document.documentElement.lang = data.language;
  const status = parentElement.querySelector("[role=status]");
  if (data.said !== undefined && status.textContent !== data.said) status.textContent = data.said;

  // Beside the page's piece: a second one to compare with, the sound that was edited, and the rest
  // of it without a region. One of them plays at a time, with its own button and pictures.
  const VOICES = ["second", "edited", "rest"].map((name) => `[class*=st-key-${name}]`);
  const voiceOf = (element) => VOICES.find((voice) => element.closest(voice)) ?? null;
  const main = () =>
    [...document.querySelectorAll("audio[data-testid=stAudio], [data-testid=stAudio] audio")].find((a) => !voiceOf(a));
  const of = (selector) => kept.voice && document.querySelector(`${kept.voice} ${selector}`);
  const audio = () => of("audio") || main();
  const sounds = (element) => voiceOf(element) === (audio() === main() ? null : kept.voice);
  const select = (element) => {
    if (voiceOf(element) === kept.voice) return;
    audio()?.pause();
    kept.voice = voiceOf(element);
  };
  // A sound may begin at a later second of the piece.
  const offset = () => Number(of("[data-offset]")?.dataset.offset ?? 0);
  const now = () => audio().currentTime + offset();
  const plots = () => [...document.querySelectorAll(".figure")].map((each) => each.figure);

  const selection = regionSelection();

  // ---- the sound
  const band = (low, high) => {
    const sound = audio();
    let graph = kept.graphs.get(sound);
    if (!graph && !low && !high) return;
    if (!graph) {
      const context = new AudioContext();
      graph = { context, low: [], high: [] };
      let node = context.createMediaElementSource(sound);
      for (const [kind, list] of [["highpass", graph.low], ["lowpass", graph.high]]) {
        for (let i = 0; i < ORDER; i++) {
          const filter = new BiquadFilterNode(context, { type: kind });
          node.connect(filter);
          list.push((node = filter));
        }
      }
      node.connect(context.destination);
      kept.graphs.set(sound, graph);
    }
    graph.context.resume();
    for (const filter of graph.low) filter.frequency.value = low || 1;
    for (const filter of graph.high) filter.frequency.value = high || graph.context.sampleRate / 2;
  };

  const seek = (seconds) => {
    kept.seeking = true;
    audio().currentTime = Math.max(0, seconds - offset());
  };

  const play = (range) => {
    const sound = audio();
    if (!sound) return;
    kept.range = range;
    band(range.low, range.high);
    seek(range.start);
    sound.play().catch(() => {}); // paused before it began: nothing to do
  };

  const looping = () => document.querySelector(".play .loop")?.checked;
  const judged = () => {
    const { start = data.start, end = data.end } = of(".play-window")?.dataset ?? {};
    return { start: Number(start), end: Number(end), window: true };
  };
  const playWindow = () => {
    if (audio() && !audio().paused) audio().pause();
    else play(judged());
  };

  const button = () => {
    for (const b of document.querySelectorAll(".play-window")) {
      const playing = audio() && !audio().paused && sounds(b);
      b.textContent = playing ? b.dataset.pause : b.dataset.play;
      b.classList.toggle("playing", playing);
    }
  };

  // ---- the playhead
  const draw = () => {
    const second = audio()?.currentTime ? now() : 0;
    for (const plot of plots()) {
      const axis = plot?.time;
      if (!axis) continue;
      const at = axis.pixel(second);
      const inside = sounds(plot.root) && second > 0 && at >= 0 && at <= axis.length;
      const box = plot.along === "x" ? [at, 0, 2, plot.y.length] : [0, at, plot.x.length, 2];
      plot.mark("playhead", inside ? box : null);
    }
    moment(second);
  };
  // The verdict of the moment: the column of the strip in which the sound is, and what it says.
  const moment = (now) => {
    const strip = document.querySelector(".strip");
    if (!strip || audio() !== main()) return;
    let line = strip.querySelector(".playhead");
    if (!line) {
      line = document.createElement("i");
      line.className = "playhead";
      strip.append(line);
    }
    line.style.left = `${(100 * now) / Number(strip.dataset.length)}%`;
    const cells = [...strip.querySelectorAll("[data-end]")];
    const here = cells.find((cell) => now < Number(cell.dataset.end));
    for (const cell of cells) cell.classList.toggle("now", cell === here);
    const said = document.querySelector(".legend .moment");
    const text = here?.dataset.said ?? "";
    if (said && said.textContent !== text) said.textContent = text;
  };

  let frame = 0;
  const follow = () => {
    const sound = audio();
    const { range } = kept;
    if (sound && range && (now() >= range.end - 0.01 || sound.ended)) {
      const over = sound.ended;
      if (!looping()) sound.pause();
      seek(range.start);
      if (looping() && over) sound.play().catch(() => {});
    }
    draw();
    button();
    frame = sound && !sound.paused ? requestAnimationFrame(follow) : 0;
  };
  const begin = (event) => {
    if (event?.type === "play") select(event.target);
    if (event && event.target !== audio()) return;
    // Who drags the player's own handle wants to hear what is there, all of it.
    if (event?.type === "seeking") {
      if (!kept.seeking) { kept.range = null; band(0, 0); }
      kept.seeking = false;
    }
    // After Streamlit's own listener, which is called next and goes to the beginning.
    if (event?.type === "loadedmetadata" && data.start) setTimeout(() => audio() && seek(data.start));
    cancelAnimationFrame(frame);
    follow();
  };
  if (main() && (kept.start !== data.start || kept.source !== main().src)) {
    select(main());
    selection.clear(); // of another window
    const moved = kept.range?.window && !audio().paused && kept.source === audio().src;
    Object.assign(kept, { start: data.start, source: audio().src });
    if (moved) kept.range = { start: data.start, end: data.end, window: true };
    else { audio().pause(); kept.range = null; }
    if (audio().readyState > 0 && data.start !== undefined) seek(data.start);
  }

  // ---- the mouse and the keyboard
  const playRegion = (event) => {
    select(event.target);
    play(event.detail);
  };

  // Pages that came by plain HTTP have no clipboard; what is selected can be copied all the same.
  const copy = async (button) => {
    if (navigator.clipboard) await navigator.clipboard.writeText(location.href);
    else {
      const text = Object.assign(document.createElement("textarea"), { value: location.href });
      document.body.append(text);
      text.select();
      document.execCommand("copy");
      text.remove();
    }
    button.textContent = button.dataset.copied;
  };

  const click = (event) => {
    const region = event.target.closest?.(".play-region");
    const whole = event.target.closest?.(".play-window");
    if (whole || region) select(event.target);
    if (whole) return playWindow();
    if (region) {
      const [start, end, low, high] = ["start", "end", "low", "high"].map((k) => Number(region.dataset[k]));
      return play({ start, end, low, high });
    }
    const tip = event.target.closest?.(".tip");
    for (const open of document.querySelectorAll(".tip.open")) if (open !== tip) open.classList.remove("open");
    if (tip) return tip.classList.toggle("open");
    const link = event.target.closest?.(".copy-link");
    if (link) return copy(link);
    const cell = event.target.closest?.(".strip .at");
    if (cell) return setTriggerValue("window", Number(cell.dataset.at));
    if (selection.dragged()) return;
    const at = plotAt(event);
    if (!at?.plot.time || at.plot.mode) return;
    selection.clear();
    const { plot } = at, seconds = plot.time.value(at[plot.along]);
    if (plot.spec.window) setTriggerValue("window", seconds);
    else if (plot.spec.seek) {
      select(plot.root);
      const range = judged();
      play({ ...range, start: Math.min(seconds, range.end - 0.1) });
    }
  };
  const fade = (event) => {
    if (!event.target.matches?.(".map-opacity")) return;
    document.documentElement.style.setProperty("--map-opacity", event.target.value / 100);
  };
  const key = (event) => {
    if (event.key === "Escape" && audio() && !audio().paused) audio().pause();
  };
  const back = () => setTriggerValue("address", location.search || "?");

  const listeners = [
    // Media events do not bubble, but on their way down the document sees them.
    ...["play", "pause", "seeking", "seeked", "loadedmetadata", "timeupdate"].map((n) => [document, n, begin]),
    ...selection.listeners, [document, "ccmusic-region", playRegion],
    [document, "click", click], [document, "keydown", key], [document, "input", fade],
    [document, "ccmusic-drawn", draw], [window, "popstate", back],
  ];
  const how = { capture: true, passive: false }; // a finger that selects must not scroll
  for (const [target, name, act] of listeners) target.addEventListener(name, act, how);
  return () => {
    cancelAnimationFrame(frame);
    for (const [target, name, act] of listeners) target.removeEventListener(name, act, true);
  };
});
