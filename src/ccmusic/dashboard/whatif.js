// What can be done with a region that is selected in a spectrogram (page.js says which): hear it
// alone, hear the rest, judge without it. Python takes it out of the sound; the rest is played here
// as soon as it has come.
let bar = null; // the buttons beside the region
let heard = 0; // number of the last rest that was played

const hide = () => {
  bar?.remove();
  bar = null;
};

export default component(({ data, setTriggerValue }) => {
  const offer = (event) => {
    hide();
    const plot = event.target, region = event.detail;
    const frame = plot.closest(".st-key-spectrograms .figure");
    if (!frame) return;
    const sent = { ...region, after: plot.closest("[class*=st-key-edited]") !== null };
    const again = () =>
      plot.dispatchEvent(new CustomEvent("ccmusic-region", { bubbles: true, detail: region }));
    const actions = {
      alone: again,
      rest: () => setTriggerValue("rest", sent),
      remove: () => { hide(); setTriggerValue("remove", sent); },
    };
    bar = document.createElement("div");
    bar.className = "region-actions";
    bar.setAttribute("role", "toolbar");
    bar.ariaLabel = data.actions;
    for (const [name, act] of Object.entries(actions)) {
      const button = document.createElement("button");
      button.className = name;
      button.textContent = data[name];
      button.onclick = act;
      bar.append(button);
    }
    frame.append(bar);
    const mark = plot.querySelector(".region").getBoundingClientRect();
    const box = frame.getBoundingClientRect(), own = bar.getBoundingClientRect();
    const left = Math.min(mark.left - box.left, box.width - own.width);
    const below = mark.bottom - box.top + 6;
    const top = below + own.height < box.height ? below : mark.top - box.top - own.height - 6;
    bar.style.left = `${Math.max(0, left)}px`;
    bar.style.top = `${Math.max(0, top)}px`;
    if (document.activeElement === plot) bar.firstChild.focus(); // it was selected with keys
  };

  let waiting = 0;
  const playRest = () => {
    const button = document.querySelector(`.st-key-rest [data-number="${data.number}"]`);
    if (button && document.querySelector(".st-key-rest audio")) {
      heard = data.number;
      button.click(); // page.js plays it
    } else waiting = requestAnimationFrame(playRest);
  };
  if (data.number && data.number !== heard) playRest();

  const away = (event) => { if (!bar?.contains(event.target)) hide(); };
  const key = (event) => { if (event.key === "Escape") hide(); };
  const listeners = { "ccmusic-region": offer, pointerdown: away, keydown: key };
  for (const [name, act] of Object.entries(listeners)) document.addEventListener(name, act);
  return () => {
    cancelAnimationFrame(waiting);
    for (const [name, act] of Object.entries(listeners)) document.removeEventListener(name, act);
  };
});
