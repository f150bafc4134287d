// What Streamlit has no word for: a playhead over every picture of the sound that plays, a click on
// a spectrogram that plays from there, and the language of the document.
export default function ({ data }) {
  document.documentElement.lang = data.language;
  const audio = () => document.querySelector("audio[data-testid=stAudio], [data-testid=stAudio] audio");
  const plots = () => document.querySelectorAll(".js-plotly-plot");
  const timeAxis = (plot) => {
    const layout = plot._fullLayout;
    return layout?.meta?.time ? layout[`${layout.meta.time}axis`] : null;
  };

  const draw = () => {
    const now = audio()?.currentTime ?? 0;
    for (const plot of plots()) {
      const axis = timeAxis(plot);
      const canvas = plot.querySelector(".svg-container");
      if (!axis || !canvas) continue;
      const layout = plot._fullLayout;
      let line = canvas.querySelector(".playhead");
      if (!line) {
        line = document.createElement("div");
        line.className = "playhead";
        canvas.append(line);
      }
      const across = layout.meta.time === "x" ? layout.yaxis : layout.xaxis;
      const place = axis.l2p(now);
      line.hidden = now === 0 || place < 0 || place > axis._length;
      const along = { start: `${axis._offset + place}px`, size: "2px" };
      const over = { start: `${across._offset}px`, size: `${across._length}px` };
      const [x, y] = layout.meta.time === "x" ? [along, over] : [over, along];
      Object.assign(line.style, { left: x.start, width: x.size, top: y.start, height: y.size });
    }
  };

  let frame = 0;
  const follow = () => {
    draw();
    const playing = audio() && !audio().paused;
    frame = playing ? requestAnimationFrame(follow) : 0;
  };
  const begin = () => { cancelAnimationFrame(frame); follow(); };

  const seek = (event) => {
    const plot = event.target.closest?.(".js-plotly-plot");
    const axis = plot && plot._fullLayout?.meta?.seek && timeAxis(plot);
    if (!axis || !audio() || event.target.closest(".modebar")) return;
    const box = plot.querySelector(".svg-container").getBoundingClientRect();
    const sideways = plot._fullLayout.meta.time === "y";
    const pixel = (sideways ? event.clientY - box.top : event.clientX - box.left) - axis._offset;
    if (pixel < 0 || pixel > axis._length) return;
    audio().currentTime = axis.p2l(pixel);
    audio().play();
  };

  // Media events do not bubble, but on their way down the document sees them.
  const heard = ["play", "pause", "seeked", "timeupdate"];
  for (const name of heard) document.addEventListener(name, begin, true);
  document.addEventListener("click", seek, true);
  return () => {
    cancelAnimationFrame(frame);
    for (const name of heard) document.removeEventListener(name, begin, true);
    document.removeEventListener("click", seek, true);
  };
}
