(() => {
  const tools = $("#tools"), table = $("table.volumes");
  if (!tools) return;
  tools.hidden = false;
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const others = readData();  // the list's other parts: [file, [[name, folder], ...]]
  const most = 50;  // names of other parts that are listed
  const plain = (text) => text.normalize("NFKD").toLocaleLowerCase();
  const rows = [...body.rows].map((row, rank) => ({ row, rank, state: row.dataset.state, name: plain(row.cells[0].textContent) }));
  const search = $("#search"), order = $("#order"), count = $("#count"), elsewhere = $("#elsewhere");
  let column = null, down = false;

  const key = ({ row, rank }) => {
    if (column === null) return rank;
    const cell = row.cells[column];
    return cell === undefined ? -1 : cell.dataset.key === undefined ? cell.textContent.trim() : Number(cell.dataset.key);
  };
  const compare = ([a, x], [b, y]) => {
    const found = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return (down ? -found : found) || x.rank - y.rank;
  };
  const sort = () => {
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const value = column === null ? "" : String(column);
    order.value = [...order.options].some((option) => option.value === value) ? value : "";
    body.append(...rows.map((item) => [key(item), item]).sort(compare).map(([, item]) => item.row));
  };

  const inOthers = (words) => {
    const found = [];
    for (const [file, names] of others) for (const [name, folder] of names)
      if (words.every((word) => plain(name).includes(word))) found.push([file, name, folder]);
    return found;
  };
  const showOthers = (found) => {
    elsewhere.hidden = !found.length;
    if (!found.length) return elsewhere.replaceChildren();
    const list = make("ul");
    for (const [file, name, folder] of found.slice(0, most)) {
      const item = make("li");
      item.append(make("a", { href: folder === null ? file : `${folder}/index.html` }, name));
      list.append(item);
    }
    elsewhere.replaceChildren(make("h3", {}, `In other parts of the list: ${found.length.toLocaleString("en")}`), list);
    if (found.length > most) elsewhere.append(make("p", { class: "quiet" }, `The first ${most} are listed: say more of the name.`));
  };
  const filter = () => {
    const words = plain(search.value).split(/\s+/).filter(Boolean), state = $("input[name=show]:checked")?.value ?? "";
    let shown = 0;
    for (const { row, name, state: own } of rows) {
      row.hidden = !((!state || own === state) && words.every((word) => name.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    const found = words.length && !state ? inOthers(words) : [];
    showOthers(found);
    table.hidden = !shown;
    $("#none").hidden = shown > 0 || found.length > 0;
    count.textContent = words.length || state ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "";
  };

  // What was chosen is kept in the address, so that going back from a volume finds it again.
  const keep = () => {
    const chosen = new URLSearchParams();
    if (search.value.trim()) chosen.set("find", search.value.trim());
    const state = $("input[name=show]:checked")?.value;
    if (state) chosen.set("show", state);
    if (column !== null) chosen.set("sort", `${down ? "-" : ""}${column}`);
    history.replaceState(null, "", String(chosen) ? `#${chosen}` : location.pathname + location.search);
  };
  const restore = () => {
    const chosen = new URLSearchParams(location.hash.slice(1)), sorted = /^(-?)(\d+)$/.exec(chosen.get("sort") ?? "");
    search.value = chosen.get("find") ?? "";
    for (const choice of document.querySelectorAll("input[name=show]")) choice.checked = choice.value === (chosen.get("show") ?? "");
    if (!$("input[name=show]:checked") && $("input[name=show]")) $("input[name=show]").checked = true;
    column = sorted && Number(sorted[2]) < heads.length ? Number(sorted[2]) : null;
    down = column !== null && sorted[1] === "-";
    sort();
    filter();
  };

  heads.forEach((head, index) => $("button", head).addEventListener("click", () => {
    down = column === index ? !down : head.classList.contains("number");
    column = index;
    sort();
    keep();
  }));
  order.addEventListener("change", () => {
    column = order.value === "" ? null : Number(order.value);
    down = column !== null && heads[column].classList.contains("number");
    sort();
    keep();
  });
  search.addEventListener("input", () => { filter(); keep(); });
  tools.addEventListener("change", (event) => { if (event.target.name === "show") { filter(); keep(); } });
  tools.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    search.focus();
  });
  window.addEventListener("hashchange", restore);
  restore();
})();
