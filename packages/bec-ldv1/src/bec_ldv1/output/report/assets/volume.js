"use strict";
(() => {
  const data = readData();
  const pages = data.pages;
  const counted = (n) => `${n} ${n === 1 ? data.unit : data.units}`;
  const inWords = (page) => (page.k === "error" ? "failed" : counted(page.c));
  const altOf = (page) => `Page ${page.n}, ${page.f}: ${inWords(page)}`;

  const drawLines = (page, titles) => {
    const svg = makeSvg("svg", { class: "lines", viewBox: `0 0 ${page.w} ${page.h}`, "aria-hidden": "true" });
    page.d.forEach((d, i) => {
      const path = makeSvg("path", page.q && page.q[i] < data.sure ? { d, class: "unsure" } : { d });
      if (titles) {
        const title = makeSvg("title");
        title.textContent = `${data.unit} ${i + 1}` + (page.q ? `, confidence ${page.q[i]} %` : "");
        path.append(title);
      }
      svg.append(path);
    });
    if (titles && page.b) {
      const baselines = makeSvg("g");
      for (const d of page.b) baselines.append(makeSvg("path", { d }));
      svg.append(baselines);
    }
    return svg;
  };
  const drawPicture = (page, folder, lazy) => {
    if (page.p === null) return make("span", { class: "unseen" }, page.u);
    const image = make("img", { src: `${folder}/${page.p}`, alt: altOf(page), decoding: "async", draggable: "false" });
    if (lazy) image.loading = "lazy";
    return image;
  };

  // The contact sheet. A tile's picture and lines are made when it comes near the window.
  const sheet = $("#sheet");
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      const page = pages[entry.target.dataset.index];
      entry.target.append(drawPicture(page, "thumbs", true));
      if (page.d.length) entry.target.append(drawLines(page, false));
    }
  }, { rootMargin: "1200px 0px" });
  const tiles = new Map();
  const tileOf = (page) => {
    let tile = tiles.get(page);
    if (tile) return tile;
    tile = make("li", { class: `tile ${page.k}` });
    tile.style.setProperty("--r", Math.min(8, Math.max(130 / data.row, page.w / page.h)).toFixed(3));
    const link = make("a", { href: `#p${page.n}`, title: [page.f, ...page.y].join("\n") });
    const frame = make("span", { class: "frame", "data-index": page.n - 1 });
    const caption = make("span", { class: "caption" });
    caption.append(make("b", {}, page.n), make("span", { class: "file" }, page.f), make("span", {}, inWords(page)));
    const notable = page.k === "error" || page.k === "check" || page.k === "blank";
    link.append(frame, caption, make("span", { class: "why" }, notable ? page.y[0] ?? "" : ""));
    tile.append(link);
    near.observe(frame);
    tiles.set(page, tile);
    return tile;
  };

  const orders = {
    page: (a, b) => a.n - b.n,
    suspicion: (a, b) => b.s - a.s || a.n - b.n,
    few: (a, b) => a.c - b.c || a.n - b.n,
    many: (a, b) => b.c - a.c || a.n - b.n,
    rotation: (a, b) => Math.abs(b.a) - Math.abs(a.a) || a.n - b.n,
  };
  let shown = [];
  const arrange = () => {
    const filter = $("input[name=filter]:checked").value;
    shown = pages.filter((page) => filter === "all" || page.k === filter).sort(orders[$("#order").value]);
    const fragment = document.createDocumentFragment();
    for (const page of shown) fragment.append(tileOf(page));
    sheet.replaceChildren(fragment);
    $("#none").hidden = shown.length > 0;
  };
  $("#tools").addEventListener("change", (event) => {
    if (event.target.id === "show-lines") setLines(event.target.checked);
    else arrange();
  });
  const setLines = (on) => {
    document.body.classList.toggle("no-lines", !on);
    $("#show-lines").checked = on;
    $("#toggle").setAttribute("aria-pressed", String(on));
  };

  // The strip: one bar a page.
  const strip = $(".strip");
  const under = (event) => {
    const box = strip.getBoundingClientRect();
    return pages[Math.max(0, Math.floor((event.clientX - box.left) / box.width * Number(strip.dataset.places)))];
  };
  if (strip) {
    const say = $("#under");
    strip.addEventListener("pointermove", (event) => { const page = under(event); say.textContent = page ? `page ${page.n}: ${inWords(page)}` : ""; });
    strip.addEventListener("pointerleave", () => { say.textContent = ""; });
    strip.addEventListener("click", (event) => { const page = under(event); if (page) location.hash = `p${page.n}`; });
  }

  // The page view: a transform over one picture.
  const dialog = $("#viewer"), stage = $("#stage"), leaf = $("#leaf");
  const zoom = makeZoom(stage, leaf);
  let current = null;
  const sequence = () => (shown.includes(current) ? shown : pages);
  const show = (page) => {
    current = page;
    $("#viewer-title").textContent = `Page ${page.n} of ${pages.length}`;
    $("#viewer-file").textContent = page.f;
    leaf.replaceChildren(drawPicture(page, "pages", false), drawLines(page, true));
    const facts = page.k === "error" ? [] : [counted(page.c)];
    if (page.t) facts.push(page.t);
    if (page.a) facts.push(`turned ${Math.abs(page.a).toFixed(1)}° ${page.a > 0 ? "counter-clockwise" : "clockwise"}`);
    if (page.v !== null) facts.push(`${page.v} % covered`);
    facts.push(page.s >= 1 ? `suspicion ${Math.round(page.s)}` : "nothing suspicious", ...page.y);
    $("#viewer-facts").textContent = facts.join(" · ");
    const list = sequence(), at = list.indexOf(page);
    $("#previous").disabled = at <= 0;
    $("#next").disabled = at >= list.length - 1;
    if (!dialog.open) { dialog.showModal(); dialog.focus(); }
    zoom.show(page.w, page.h);
    const after = list[at + 1];
    if (after && after.p !== null) new Image().src = `pages/${after.p}`;
  };
  const step = (by) => {
    const list = sequence(), next = list[list.indexOf(current) + by];
    if (next) history.replaceState(null, "", `#p${next.n}`), show(next);
  };
  const close = () => { if (dialog.open) dialog.close(); };
  dialog.addEventListener("close", () => {
    const tile = tiles.get(current);
    if (/^#p\d+$/.test(location.hash)) history.replaceState(null, "", location.pathname + location.search);
    current = null;
    if (tile && tile.isConnected) { tile.scrollIntoView({ block: "nearest" }); $("a", tile).focus({ preventScroll: true }); }
  });
  const route = () => {
    const match = /^#p(\d+)$/.exec(location.hash), page = match && pages[Number(match[1]) - 1];
    if (page) show(page); else close();
  };
  window.addEventListener("hashchange", route);
  window.addEventListener("resize", () => { if (current) zoom.fit(); });

  const actions = { previous: () => step(-1), next: () => step(1), in: () => zoom.zoom(1.4), out: () => zoom.zoom(1 / 1.4), fit: zoom.fit,
    toggle: () => setLines(document.body.classList.contains("no-lines")), close };
  for (const [id, action] of Object.entries(actions)) $(`#${id}`).addEventListener("click", action);
  const keys = { ArrowRight: "next", ArrowDown: "next", j: "next", ArrowLeft: "previous", ArrowUp: "previous", k: "previous",
    "+": "in", "=": "in", "-": "out", "0": "fit", l: "toggle" };
  const moveFocus = (by) => {
    const links = [...sheet.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    const link = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
    if (link) { link.focus({ preventScroll: true }); link.scrollIntoView({ block: "nearest" }); }
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    if (current) {
      const action = keys[event.key];
      if (!action) return;
      event.preventDefault();
      actions[action]();
    } else if (event.key === "l") actions.toggle();
    else if (event.key === "j" || event.key === "k") moveFocus(event.key === "j" ? 1 : -1);
    else if (sheet.contains(event.target) && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      event.preventDefault();
      moveFocus(event.key === "ArrowRight" ? 1 : -1);
    }
  });

  // The list of the worst pages is in the HTML; only its lines are drawn here.
  for (const frame of document.querySelectorAll(".worst .frame")) {
    const page = pages[frame.dataset.index];
    if (page.d.length) frame.append(drawLines(page, false));
  }
  arrange();
  route();
})();
