// Four steps around the page, on request only. A modal dialog keeps the focus and ends on Esc.
export default function ({ data, parentElement }) {
  let dialog = parentElement.querySelector("dialog");
  if (!dialog) {
    const root = document.createElement("div");
    root.innerHTML = `
      <button class="open" aria-haspopup="dialog"></button>
      <dialog aria-labelledby="title" aria-describedby="text">
        <p class="place"></p><h2 id="title"></h2><p id="text"></p>
        <p class="ways"><button class="end"></button><button class="back"></button><button class="next"></button></p>
      </dialog>`;
    parentElement.append(root);
    dialog = parentElement.querySelector("dialog");
  }
  const find = (name) => parentElement.querySelector(name);
  const [open, end, back, next] = [".open", ".end", ".back", ".next"].map(find);
  open.textContent = data.open;
  end.textContent = data.end;
  back.textContent = data.back;
  let step = 0;
  let target = null;

  const leave = () => {
    if (target) target.style.outline = target.style.outlineOffset = "";
    target = null;
  };
  const show = (place) => {
    leave();
    step = place;
    const { selector, title, text } = data.steps[step];
    find(".place").textContent = `${step + 1} / ${data.steps.length}`;
    find("#title").textContent = title;
    find("#text").textContent = text;
    back.disabled = step === 0;
    next.textContent = step === data.steps.length - 1 ? data.done : data.next;
    next.focus();
    target = document.querySelector(selector);
    if (!target) return dialog.removeAttribute("style"); // another view: in the middle
    const colour = getComputedStyle(dialog).getPropertyValue("--st-primary-color");
    target.style.outline = `3px solid ${colour}`;
    target.style.outlineOffset = "4px";
    target.scrollIntoView({ block: "nearest" });
    // Below what is meant, above or beside it, wherever there is room; else over its lower end.
    const at = target.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = dialog;
    const gap = 12, lowest = innerHeight - height - gap, rightmost = innerWidth - width - gap;
    const within = (v, most) => Math.min(Math.max(gap, v), most);
    const beside = within(at.top, lowest);
    const [left, top] = [
      [within(at.left, rightmost), at.bottom + gap],
      [within(at.left, rightmost), at.top - gap - height],
      [at.left - gap - width, beside],
      [at.right + gap, beside],
    ].find(([x, y]) => x >= gap && x <= rightmost && y >= gap && y <= lowest)
      ?? [within(at.left, rightmost), lowest];
    Object.assign(dialog.style, { margin: "0", left: `${left}px`, top: `${top}px` });
    // The veil has a hole where the target is.
    const [l, t, r, b] = [at.left - 7, at.top - 7, at.right + 7, at.bottom + 7].map((v) => `${v}px`);
    dialog.style.setProperty("--veil", `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0,
      ${l} ${t}, ${r} ${t}, ${r} ${b}, ${l} ${b}, ${l} ${t})`);
  };

  open.onclick = () => {
    dialog.showModal();
    show(0);
  };
  back.onclick = () => show(step - 1);
  next.onclick = () => (step + 1 < data.steps.length ? show(step + 1) : dialog.close());
  end.onclick = () => dialog.close();
  dialog.onclose = leave;
  return leave;
}
