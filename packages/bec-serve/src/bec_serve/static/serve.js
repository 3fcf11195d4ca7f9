// A page that lives: its parts are replaced as the server sends them, while somebody looks at it.
"use strict";
(() => {
  const root = document.documentElement;
  if (!root.hasAttribute("data-live")) return;
  const sign = document.getElementById("live-state");
  const icon = document.querySelector("link[rel=icon]");
  const icons = { bad: icon.href.replace("icon.svg", "icon-look.svg"), other: icon.href };
  const silentMs = 25000; // the server says a word every ten seconds
  let stream = null, heardAt = 0;

  const show = (state, text) => {
    if (sign.dataset.state !== state || sign.textContent !== text) {
      sign.dataset.state = state;
      sign.textContent = text;
    }
  };

  // A verdict also shows in the tab: its title and its icon.
  const tell = () => {
    const verdict = document.querySelector(".verdict[data-title]");
    if (!verdict) return;
    document.title = verdict.dataset.title;
    const wanted = verdict.dataset.tone === "bad" ? icons.bad : icons.other;
    if (icon.href !== wanted) icon.href = wanted;
  };

  // The server has escaped every value; a script in it would not run here in any case.
  const replace = (id, html) => {
    const part = document.getElementById(id);
    if (!part) return;
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    if (part.textContent === fresh.textContent && part.innerHTML === fresh.innerHTML) return;
    const focus = part.contains(document.activeElement) ? pathTo(part, document.activeElement) : null;
    const open = [...part.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    part.replaceChildren(...fresh.childNodes);
    [...part.querySelectorAll("details")].forEach((one, n) => { if (open[n]) one.open = true; });
    [...part.querySelectorAll(".scroll")].forEach((one, n) => { one.scrollLeft = scrolled[n] ?? 0; });
    if (focus) found(part, focus)?.focus({ preventScroll: true });
  };
  // Where the keyboard is: the link's target, and the how-manieth of these.
  const pathTo = (part, element) => {
    const key = element.getAttribute("href") ?? element.textContent;
    const alike = [...part.querySelectorAll("a, button, summary")].filter((one) => (one.getAttribute("href") ?? one.textContent) === key);
    return { key, place: alike.indexOf(element) };
  };
  const found = (part, { key, place }) =>
    [...part.querySelectorAll("a, button, summary")].filter((one) => (one.getAttribute("href") ?? one.textContent) === key)[place];

  const open = () => {
    if (stream) return;
    heardAt = Date.now();
    stream = new EventSource("/live?page=" + encodeURIComponent(root.dataset.page));
    stream.addEventListener("parts", (event) => {
      heardAt = Date.now();
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
      show("on", "live");
      tell();
    });
    stream.addEventListener("alive", () => { heardAt = Date.now(); show("on", "live"); });
    stream.addEventListener("trouble", (event) => {
      heardAt = Date.now();
      show("lost", "not up to date: " + JSON.parse(event.data).text);
    });
    stream.addEventListener("error", () => {
      if (stream && stream.readyState === EventSource.CLOSED) { close(); setTimeout(look, 5000); }
    });
  };
  const close = () => { stream?.close(); stream = null; };
  const look = () => (document.hidden ? close() : open());

  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", look);
  setInterval(() => {
    if (!document.hidden && Date.now() - heardAt > silentMs) {
      show("lost", "no word from the server since " + new Date(heardAt).toLocaleTimeString());
    }
  }, 1000);
  tell();
  look();
})();
