// The mouse, for those who do not use one: a picture of a sound takes the focus, arrows move a
// cursor over it, Shift and arrows stretch a region, Enter acts as a click or as the end of a drag.
// Plotly and page.js get the events that a mouse would have sent; what Plotly shows beside the
// cursor is read out, and has a minus sign where Plotly writes a hyphen.
const STEP = 0.1; // seconds, or a hundredth of what is shown
const REST = 150; // milliseconds after the last key, before the values are read out

export default function ({ data, parentElement }) {
  const status = parentElement.querySelector("[role=status]");
  const places = new WeakMap(); // of the cursor in each picture, and where its region began

  const hovered = new MutationObserver((changes) => {
    for (const { target } of changes) {
      const texts = document.createTreeWalker(target, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const { currentNode: node } = texts;
        if (/-\d/.test(node.data)) node.data = node.data.replace(/-(?=\d)/g, "−");
      }
    }
  });

  const reachable = () => {
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
      const hover = plot.querySelector(".hoverlayer"); // drawn anew with the plot
      if (hover) hovered.observe(hover, { childList: true, subtree: true });
      const meta = plot._fullLayout?.meta ?? {};
      if (!meta.seek && !meta.window) continue;
      const name = plot.closest("[role=figure]")?.ariaLabel ?? "";
      plot.tabIndex = 0;
      plot.setAttribute("role", "application");
      plot.ariaLabel = `${name}. ${meta.seek ? data.picture : data.waveform}`;
    }
  };

  const cursorOf = (plot) => {
    const { xaxis, yaxis } = plot._fullLayout;
    if (!places.has(plot)) places.set(plot, { x: xaxis._length / 2, y: yaxis._length / 2 });
    return places.get(plot);
  };

  const send = (plot, names, at) => {
    const layer = plot.querySelector(".nsewdrag");
    const box = layer.getBoundingClientRect();
    const place = { clientX: box.left + at.x, clientY: box.top + at.y };
    for (const name of names) {
      const target = name !== "mousedown" ? document.querySelector(".dragcover") ?? layer : layer;
      const kind = name.startsWith("pointer") ? PointerEvent : MouseEvent;
      target.dispatchEvent(new kind(name, { ...place, bubbles: true, cancelable: true, view: window }));
    }
  };

  let timer = 0;
  const show = (plot) => {
    const cursor = cursorOf(plot);
    const { xaxis, yaxis } = plot._fullLayout;
    let mark = plot.querySelector(".cursor");
    if (!mark) {
      mark = document.createElement("div");
      mark.className = "cursor";
      plot.querySelector(".svg-container").append(mark);
    }
    mark.hidden = false;
    mark.style.left = `${xaxis._offset + cursor.x}px`;
    mark.style.top = `${yaxis._offset + cursor.y}px`;
    send(plot, ["mousemove"], cursor);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const lines = [...plot.querySelectorAll(".hoverlayer .hovertext text")].flatMap((text) => {
        const spans = [...text.querySelectorAll("tspan.line")];
        return (spans.length ? spans : [text]).map((span) => span.textContent);
      });
      status.textContent = lines.join(", ");
    }, REST);
  };

  const moved = (axis, pixel, direction) => {
    const category = axis.type === "category";
    const step = category ? 1 : Math.max(STEP, Math.abs(axis.range[1] - axis.range[0]) / 100);
    const pixels = Math.abs(axis.l2p(step) - axis.l2p(0));
    const next = Math.min(axis._length - 1, Math.max(1, pixel + direction * pixels));
    return category ? axis.l2p(Math.round(axis.p2l(next))) : next;
  };

  // With the buttons for zooming on, Plotly itself waits for the drag; otherwise page.js does.
  const hand = (plot) => (plot._fullLayout.dragmode ? "mouse" : "pointer");

  const arrows = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
  const key = (event) => {
    const plot = event.target;
    if (!plot.matches?.(".js-plotly-plot[role=application]")) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const cursor = cursorOf(plot);
    const arrow = arrows[event.key];
    if (arrow) {
      const [name, direction] = arrow;
      if (event.shiftKey && !cursor.dragging) send(plot, [`${hand(plot)}down`], cursor);
      cursor.dragging = event.shiftKey;
      cursor[name] = moved(plot._fullLayout[`${name}axis`], cursor[name], direction);
      if (cursor.dragging) send(plot, [`${hand(plot)}move`], cursor);
      show(plot);
    } else if (event.key === "Enter" || event.key === " ") {
      const grasp = cursor.dragging ? [] : [`${hand(plot)}down`];
      send(plot, [...grasp, `${hand(plot)}up`, "click"], cursor);
      cursor.dragging = false;
    } else return;
    event.preventDefault();
  };
  const enter = (event) => {
    if (event.target.matches?.(".js-plotly-plot[role=application]:focus-visible")) show(event.target);
  };
  const leave = (event) => {
    if (!event.target.matches?.(".js-plotly-plot[role=application]")) return;
    const mark = event.target.querySelector(".cursor");
    if (mark) mark.hidden = true;
    send(event.target, ["mouseout"], cursorOf(event.target));
    status.textContent = "";
  };

  // Pictures are drawn and drawn again whenever Streamlit sees fit.
  let waiting = 0;
  const observer = new MutationObserver(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(reachable);
  });
  observer.observe(document.body, { childList: true, subtree: true });
  reachable();
  const listeners = { keydown: key, focusin: enter, focusout: leave };
  for (const [name, act] of Object.entries(listeners)) document.addEventListener(name, act);
  return () => {
    observer.disconnect();
    hovered.disconnect();
    cancelAnimationFrame(waiting);
    clearTimeout(timer);
    for (const [name, act] of Object.entries(listeners)) document.removeEventListener(name, act);
  };
}
