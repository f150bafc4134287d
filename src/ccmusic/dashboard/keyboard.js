// The mouse, for those who do not use one: a picture of a sound takes the focus, arrows move a
// cursor over it, Shift and arrows stretch a region, Enter acts as a click or as the end of a drag.
// region.js and page.js get the events that a mouse would have sent; what the figure shows beside
// the cursor is read out.
const STEP = 0.1; // seconds, or a hundredth of what is shown
const REST = 150; // milliseconds after the last key, before the values are read out

export default component(({ data, parentElement }) => {
  const status = parentElement.querySelector("[role=status]");
  const places = new WeakMap(); // of the cursor in each picture, and where its region began

  const cursorOf = (plot) => {
    if (!places.has(plot)) places.set(plot, { x: plot.x.length / 2, y: plot.y.length / 2 });
    return places.get(plot);
  };

  const send = (plot, names, at) => {
    const box = plot.area.getBoundingClientRect();
    const place = { clientX: box.left + at.x, clientY: box.top + at.y };
    for (const name of names) {
      const kind = name.startsWith("pointer") ? PointerEvent : MouseEvent;
      plot.area.dispatchEvent(new kind(name, { ...place, bubbles: true, cancelable: true, view: window }));
    }
  };

  let timer = 0;
  const show = (plot) => {
    const cursor = cursorOf(plot);
    plot.mark("cursor", [cursor.x, cursor.y]);
    send(plot, ["mousemove"], cursor);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const lines = [...plot.area.querySelectorAll(".hover span")].map((line) => line.textContent);
      status.textContent = lines.join(", ");
    }, REST);
  };

  const moved = (axis, pixel, direction) => {
    const step = axis.names ? 1 : Math.max(STEP, Math.abs(axis.to - axis.from) / 100);
    const pixels = Math.abs(axis.pixel(step) - axis.pixel(0));
    const next = Math.min(axis.length - 1, Math.max(1, pixel + direction * pixels));
    return axis.names ? axis.pixel(Math.round(axis.value(next))) : next;
  };

  const reached = ({ target }) => (target.matches?.(".figure[role=application]") ? target.figure : null);
  const arrows = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
  const key = (event) => {
    const plot = reached(event);
    if (!plot || event.ctrlKey || event.altKey || event.metaKey) return;
    const cursor = cursorOf(plot);
    const arrow = arrows[event.key];
    if (arrow) {
      const [name, direction] = arrow;
      if (event.shiftKey && !cursor.dragging) send(plot, ["pointerdown"], cursor);
      cursor.dragging = event.shiftKey;
      cursor[name] = moved(plot[name], cursor[name], direction);
      if (cursor.dragging) send(plot, ["pointermove"], cursor);
      show(plot);
    } else if (event.key === "Enter" || event.key === " ") {
      const grasp = cursor.dragging ? [] : ["pointerdown"];
      send(plot, [...grasp, "pointerup", "click"], cursor);
      cursor.dragging = false;
    } else return;
    event.preventDefault();
  };
  const enter = (event) => {
    if (event.target.matches?.(":focus-visible") && reached(event)) show(reached(event));
  };
  const leave = (event) => {
    const plot = reached(event);
    if (!plot) return;
    plot.mark("cursor", null);
    plot.leave();
    status.textContent = "";
  };

  const listeners = { keydown: key, focusin: enter, focusout: leave };
  for (const [name, act] of Object.entries(listeners)) document.addEventListener(name, act);
  return () => {
    clearTimeout(timer);
    for (const [name, act] of Object.entries(listeners)) document.removeEventListener(name, act);
  };
});
