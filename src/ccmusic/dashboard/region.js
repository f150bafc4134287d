// The region of a spectrogram that is selected: dragged with a mouse, or with a finger that first
// rests on the picture, for one that moves at once scrolls. keyboard.js sends what a mouse would.
// It is kept in window.ccmusic.region as { start, end, low, high } in seconds and hertz, null for
// none; each change is a "ccmusic-region" event of the picture, with the region as its detail.
// Knows nothing of sounds: page.js plays what is selected.
const REST = 400; // milliseconds that a finger rests before it selects
const LEAST = 8; // pixels of a drag; below, it is a click

const plotAt = (event) => {
  const plot = event.target.closest?.(".js-plotly-plot");
  if (!plot || event.target.closest(".modebar") || !plot._fullLayout) return null;
  const box = plot.querySelector(".svg-container").getBoundingClientRect();
  const { xaxis, yaxis, meta, dragmode } = plot._fullLayout;
  const x = event.clientX - box.left - xaxis._offset;
  const y = event.clientY - box.top - yaxis._offset;
  const inside = x >= 0 && x <= xaxis._length && y >= 0 && y <= yaxis._length;
  return { plot, x, y, inside, meta: meta ?? {}, xaxis, yaxis, dragmode };
};

const hertz = (axis, pixel) => {
  const names = axis._categories;
  const bin = Math.min(names.length - 1, Math.max(0, Math.round(axis.p2l(pixel))));
  return parseFloat(names[bin]);
};

// An element over a picture, at left, top, width and height in pixels; null hides it.
const place = (plot, name, box) => {
  const canvas = plot.querySelector(".svg-container");
  let mark = canvas.querySelector(`.${name}`);
  if (!mark) {
    mark = document.createElement("div");
    mark.className = name;
    canvas.append(mark);
  }
  mark.hidden = !box;
  if (!box) return;
  const sizes = { left: box[0], top: box[1], width: box[2], height: box[3] };
  for (const [side, pixels] of Object.entries(sizes)) mark.style[side] = `${pixels}px`;
};

function regionSelection() {
  const kept = (window.ccmusic ??= {});
  let drag = null, resting = 0, touched = null;

  const show = ({ plot, xaxis, yaxis, x, y }, to) =>
    place(plot, "region", [
      xaxis._offset + Math.min(x, to.x), yaxis._offset + Math.min(y, to.y),
      Math.abs(x - to.x), Math.abs(y - to.y),
    ]);
  const clear = () => {
    for (const mark of document.querySelectorAll(".js-plotly-plot .region")) mark.hidden = true;
    kept.region = null;
  };
  const still = () => { clearTimeout(resting); resting = 0; };

  const down = (event) => {
    drag = null;
    still();
    const at = event.button === 0 ? plotAt(event) : null;
    if (!at?.inside || !at.meta.seek || at.dragmode) return;
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
    const { from } = drag;
    const box = from.plot.querySelector(".svg-container").getBoundingClientRect();
    const clamp = (v, axis) => Math.min(axis._length, Math.max(0, v));
    const x = clamp(event.clientX - box.left - from.xaxis._offset, from.xaxis);
    const y = clamp(event.clientY - box.top - from.yaxis._offset, from.yaxis);
    if (!drag.to && Math.hypot(x - from.x, y - from.y) < LEAST) return;
    drag.to = { x, y };
    show(from, drag.to);
  };
  const up = () => {
    still();
    if (!drag?.to) {
      if (drag?.finger) clear();
      return;
    }
    const { from, to } = drag;
    const [time, pitch] = from.meta.time === "x" ? ["x", "y"] : ["y", "x"];
    const seconds = [from[time], to[time]].map((p) => from[`${time}axis`].p2l(p)).sort((a, b) => a - b);
    const band = [from[pitch], to[pitch]].map((p) => hertz(from[`${pitch}axis`], p)).sort((a, b) => a - b);
    kept.region = { start: seconds[0], end: Math.max(seconds[1], seconds[0] + 0.1), low: band[0], high: band[1] };
    from.plot.dispatchEvent(new CustomEvent("ccmusic-region", { bubbles: true, detail: kept.region }));
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

