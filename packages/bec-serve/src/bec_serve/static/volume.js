// A volume's page: the drawing beside the form knows which page is open, and so do the form and the address.
"use strict";
(() => {
  if (document.querySelector("[data-waits]")) { setTimeout(() => location.reload(), 1500); return; }
  const frame = document.getElementById("drawing"), form = document.getElementById("mark");
  if (!frame) return;
  const pattern = /^#p([0-9]+)$/;
  let shown = "";

  const choose = (number) => {
    if (!form) return;
    const option = form.elements.page.querySelector(`option[data-number="${number}"]`);
    if (option) option.selected = true;
    form.elements.number.value = number;
  };
  const hashOf = () => { try { return frame.contentWindow.location.hash; } catch { return ""; } };
  const open = (hash) => { if (pattern.test(hash)) { frame.contentWindow.location.hash = hash; frame.scrollIntoView({ block: "nearest" }); } };

  // What is open in the drawing stands in the form and in the address, which can be sent to a colleague.
  const follow = () => {
    const hash = hashOf();
    if (hash === shown) return;
    shown = hash;
    const match = pattern.exec(hash);
    if (match) choose(match[1]);
    history.replaceState(null, "", location.pathname + location.search + (match ? hash : ""));
  };
  const begin = () => {
    if (pattern.test(location.hash)) open(location.hash);
    setInterval(follow, 300);
  };
  if (frame.contentDocument?.readyState === "complete" && frame.contentWindow.location.href !== "about:blank") begin();
  else frame.addEventListener("load", begin, { once: true });
  addEventListener("hashchange", () => open(location.hash));
  form?.elements.page.addEventListener("change", () => {
    const number = form.elements.page.selectedOptions[0].dataset.number;
    form.elements.number.value = number;
    open("#p" + number);
  });
})();
