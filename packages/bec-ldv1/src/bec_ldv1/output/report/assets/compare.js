"use strict";
(() => {
  const { names, pages } = readData();
  const counted = (n) => `${n} ${n === 1 ? "line" : "lines"}`;
  const drawn = (side) => {
    const svg = makeSvg("svg", { class: "lines fates", viewBox: `0 0 ${side.w} ${side.h}`, "aria-hidden": "true" });
    for (const [d, fate] of side.d) svg.append(makeSvg("path", { d, class: fate }));
    return svg;
  };
  const fill = (holder, page, which, folder) => {
    const side = page.s[which];
    if (side === null) return holder.replaceChildren(make("span", { class: "unseen" }, `not in ${names[which]}`));
    const picture = side.p === null ? make("span", { class: "unseen" }, side.u)
      : make("img", { src: `${folder}/${side.p}`, alt: `Page ${page.n}, ${page.f}, ${names[which]}: ${counted(side.d.length)}`, draggable: "false" });
    holder.replaceChildren(picture, drawn(side));
  };

  const list = $("#pairs");
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      const { index, which } = entry.target.dataset;
      fill(entry.target, pages[index], Number(which), "thumbs");
    }
  }, { rootMargin: "1000px 0px" });
  pages.forEach((page, index) => {
    const item = make("li", { class: page.k });
    const link = make("a", { href: `#c${page.i}` });
    const head = make("span", { class: "caption" });
    head.append(make("b", {}, `${page.v}, page ${page.n}`), make("span", { class: "file" }, page.f), make("span", { class: "said" }, page.t));
    const sides = make("span", { class: "sides" });
    [0, 1].forEach((which) => {
      const side = page.s[which], other = page.s[1 - which], shape = side ?? other;
      const figure = make("span", { class: "side" });
      const frame = make("span", { class: "frame", "data-index": index, "data-which": which });
      frame.style.setProperty("--r", Math.max(0.5, shape.w / shape.h).toFixed(3));
      const said = side === null ? "" : side.e ?? counted(side.d.length);
      figure.append(frame, make("span", { class: "quiet" }, `${names[which]}${said && ": "}${said}`));
      sides.append(figure);
      near.observe(frame);
    });
    link.append(head, sides);
    item.append(link);
    list.append(item);
  });

  const dialog = $("#viewer"), stage = $("#stage"), leaf = $("#leaf"), zoom = makeZoom(stage, leaf);
  let current = null, which = 1;
  const draw = () => {
    fill(leaf, current, which, "pages");
    $("#flip").textContent = names[which];
    $("#viewer-facts").textContent = `${names[which]} · ${current.s[which]?.e ?? current.t}`;
  };
  const show = (page) => {
    current = page;
    $("#viewer-title").textContent = `${page.v}, page ${page.n}`;
    $("#viewer-file").textContent = page.f;
    if (page.s[which] === null) which = 1 - which;
    draw();
    const at = pages.indexOf(page);
    $("#previous").disabled = at <= 0;
    $("#next").disabled = at >= pages.length - 1;
    if (!dialog.open) { dialog.showModal(); dialog.focus(); }
    zoom.show(page.s[which].w, page.s[which].h);
  };
  const step = (by) => {
    const page = pages[pages.indexOf(current) + by];
    if (page) history.replaceState(null, "", `#c${page.i}`), show(page);
  };
  const flip = () => { which = 1 - which; draw(); };
  const close = () => { if (dialog.open) dialog.close(); };
  dialog.addEventListener("close", () => {
    const link = list.children[pages.indexOf(current)]?.firstChild;
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    current = null;
    if (link) { link.scrollIntoView({ block: "nearest" }); link.focus({ preventScroll: true }); }
  });
  const route = () => {
    const match = /^#c(\d+)$/.exec(location.hash), page = match && pages[Number(match[1]) - 1];
    if (page) show(page); else close();
  };
  window.addEventListener("hashchange", route);
  window.addEventListener("resize", () => { if (current) zoom.fit(); });
  const toggle = () => $("#toggle").setAttribute("aria-pressed", String(!document.body.classList.toggle("no-lines")));
  const actions = { previous: () => step(-1), next: () => step(1), in: () => zoom.zoom(1.4), out: () => zoom.zoom(1 / 1.4), fit: zoom.fit, flip, toggle, close };
  for (const [id, action] of Object.entries(actions)) $(`#${id}`).addEventListener("click", action);
  const keys = { ArrowRight: "next", ArrowDown: "next", j: "next", ArrowLeft: "previous", ArrowUp: "previous", k: "previous",
    "+": "in", "=": "in", "-": "out", "0": "fit", l: "toggle", " ": "flip" };
  document.addEventListener("keydown", (event) => {
    if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    actions[action]();
  });
  route();
})();
