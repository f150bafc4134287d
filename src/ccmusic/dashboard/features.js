// What a place of a map depends on: a square over the network's picture, while one points at it.
export default component(() => {
  const show = (event) => {
    const map = event.target.closest?.(".features .maps img");
    for (const field of document.querySelectorAll(".features .field")) field.hidden = true;
    if (!map) return;
    const at = Object.fromEntries(Object.entries(map.parentElement.dataset).map(([k, v]) => [k, Number(v)]));
    const field = map.closest(".features").querySelector(".field");
    const box = map.getBoundingClientRect();
    const place = (part, count) => Math.min(count - 1, Math.max(0, Math.floor(part * count)));
    const middle = (index) => at.first + index * at.step;
    const along = (index, size) => [(middle(index) - (at.field - 1) / 2) / size, at.field / size];
    const [left, width] = along(place((event.clientX - box.left) / box.width, at.columns), at.width);
    const [top, height] = along(place((event.clientY - box.top) / box.height, at.rows), at.height);
    // What lies beyond the picture is not there to be seen.
    const sides = { left, top, right: 1 - left - width, bottom: 1 - top - height };
    for (const [side, share] of Object.entries(sides)) field.style[side] = `${100 * Math.max(0, share)}%`;
    field.hidden = false;
  };
  for (const name of ["pointermove", "pointerdown"]) document.addEventListener(name, show);
  return () => {
    for (const name of ["pointermove", "pointerdown"]) document.removeEventListener(name, show);
  };
});
