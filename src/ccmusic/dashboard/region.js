// The region of a spectrogram that is selected: dragged with a mouse, or with a finger that first
// rests on the picture, for one that moves at once scrolls. keyboard.js sends what a mouse would.
// It is kept in window.ccmusic.region as { start, end, low, high } in seconds and hertz, null for
// none; each change is a "ccmusic-region" event of the picture, with the region as its detail.
// Knows nothing of sounds: page.js plays what is selected.
const REST = 400; // milliseconds that a finger rests before it selects
const LEAST = 8; // pixels of a drag; below, it is a click

// The figure whose picture is under the pointer, and where in it that is.
const plotAt = (event) => {
  const area = event.target.closest?.(".figure > .area");
  if (!area) return null;
  const box = area.getBoundingClientRect();
  return { plot: area.parentElement.figure, x: event.clientX - box.left, y: event.clientY - box.top };
};

function regionSelection() {
  const kept = (window.ccmusic ??= {});
  let drag = null, resting = 0, touched = null;

  const show = ({ plot, x, y }, to) =>
    plot.mark("region", [Math.min(x, to.x), Math.min(y, to.y), Math.abs(x - to.x), Math.abs(y - to.y)]);
  const clear = () => {
    for (const { figure } of document.querySelectorAll(".figure")) figure?.mark("region", null);
    kept.region = null;
  };
  const still = () => { clearTimeout(resting); resting = 0; };

  const down = (event) => {
    drag = null;
    still();
    const at = event.button === 0 ? plotAt(event) : null;
    if (!at?.plot.spec.seek) return;
    if (event.pointerType !== "touch") { drag = { from: at }; return; }
    touched = { x: event.clientX, y: event.clientY };
    resting = setTimeout(() => {
      resting = 0;
      drag = { from: at, finger: true };
      show(at, { x: at.x + 1, y: at.y + 1 }); // it is seen that dragging selects now
    }, REST);
  };
  const move = (event) => {
    if (resting && Math.hypot(event.clientX - touched.x, event.clientY - touched.y) > LEAST) still();
    if (!drag) return;
    const { from } = drag, { plot } = from;
    const box = plot.area.getBoundingClientRect();
    const clamp = (v, axis) => Math.min(axis.length, Math.max(0, v));
    const x = clamp(event.clientX - box.left, plot.x);
    const y = clamp(event.clientY - box.top, plot.y);
    if (!drag.to && Math.hypot(x - from.x, y - from.y) < LEAST) return;
    const last = drag.to ?? from;
    drag.to = { x, y };
    if (plot.mode === "pan") plot.move(last.x - x, last.y - y);
    else show(from, drag.to);
  };
  const up = () => {
    still();
    if (!drag?.to) {
      if (drag?.finger) clear();
      return;
    }
    const { from, to } = drag, { plot } = from;
    const ends = (axis, name) => [from[name], to[name]].sort((a, b) => a - b).map(axis);
    if (plot.mode) {
      if (plot.mode === "zoom") plot.show(...["x", "y"].map((n) => ends((p) => plot[n].value(p), n)));
      return clear();
    }
    const [time, pitch] = plot.along === "x" ? ["x", "y"] : ["y", "x"];
    const [start, end] = ends((p) => plot.time.value(p), time);
    const [low, high] = ends((p) => plot.pitch.hertz(p), pitch).sort((a, b) => a - b);
    kept.region = { start, end: Math.max(end, start + 0.1), low, high };
    plot.root.dispatchEvent(new CustomEvent("ccmusic-region", { bubbles: true, detail: kept.region }));
  };
  const cancel = () => {
    still();
    if (drag?.finger) clear();
    drag = null;
  };
  const hold = (event) => {
    if (drag?.finger || (event.type === "contextmenu" && resting)) event.preventDefault();
  };
  // What ends a drag is no click as well.
  const dragged = () => {
    const was = Boolean(drag?.to);
    drag = null;
    return was;
  };
  const listeners = [
    [document, "pointerdown", down], [document, "pointermove", move], [document, "pointerup", up],
    [document, "pointercancel", cancel], [document, "touchmove", hold], [document, "contextmenu", hold],
  ];
  return { listeners, clear, dragged };
}

