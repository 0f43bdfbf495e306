"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [ACTION, DIR, NAME, KIND, REASON, SIZE, OLD_SIZE, TIME, OLD_TIME, TARGET, STATE, ERROR] = Array(12).keys();
  const DONE = 1, FAILED = 2;
  const rows = data.rows;
  const find = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    // Names come from servers: they are text here and never markup.
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // ---- What the cells say.
  const path = (row) => data.dirs[row[DIR]] + row[NAME];
  const bytes = (n) => {
    if (n === null) return "";
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = 0;
    for (; n >= 999.5 && unit + 1 < units.length; unit++) n /= 1024;
    return (unit === 0 ? String(n) : n.toFixed(n < 9.95 ? 1 : 0)) + " " + units[unit];
  };
  const exactly = (n) => (n === null ? "unknown" : n < 1024 ? n + " bytes" : `${n.toLocaleString("en")} bytes (${bytes(n)})`);
  const time = (seconds) => {
    if (seconds === null) return "";
    const date = new Date(seconds * 1000);
    return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().slice(0, 19).replace("T", " ");
  };
  const change = (from, to, show) => {
    const [a, b] = [show(from), show(to)];
    return a && b && a !== b ? `${a} → ${b}` : b || a;
  };
  const why = (row) => row[ERROR] || data.reasons[row[REASON]];
  const haystacks = new Array(rows.length);
  const haystack = (i) => {
    const row = rows[i];
    return (haystacks[i] ??= (path(row) + "\n" + (row[TARGET] ?? "") + "\n" + why(row)).toLowerCase());
  };

  // ---- What is shown: rows that fit the search and the chips, in the order chosen, under their directories.
  const state = { words: [], off: new Set(), key: "path", way: 1, grouped: true, closed: new Set(), open: null };
  const keys = {
    action: (row) => row[ACTION],
    path: (row) => row[NAME],
    why: (row) => why(row),
    size: (row) => row[SIZE] ?? row[OLD_SIZE] ?? -1,
    time: (row) => row[TIME] ?? row[OLD_TIME] ?? -Infinity,
  };
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  let lines = [];
  let shown = 0;

  const arrange = () => {
    const fits = [];
    for (let i = 0; i < rows.length; i++) {
      if (state.off.has(rows[i][ACTION])) continue;
      if (state.words.every((word) => haystack(i).includes(word))) fits.push(i);
    }
    shown = fits.length;
    const key = keys[state.key];
    const byKey = (a, b) => state.way * compare(key(rows[a]), key(rows[b])) || a - b;
    const byDir = (a, b) => rows[a][DIR] - rows[b][DIR];
    const byPath = (a, b) => state.way * (byDir(a, b) || compare(rows[a][NAME], rows[b][NAME]));
    fits.sort(state.grouped ? (a, b) => byDir(a, b) || byKey(a, b) : state.key === "path" ? byPath : byKey);
    lines = [];
    if (!state.grouped) {
      lines = fits.map((row) => ({ row }));
    } else {
      for (let at = 0; at < fits.length; ) {
        const dir = rows[fits[at]][DIR];
        let end = at, sum = 0;
        for (; end < fits.length && rows[fits[end]][DIR] === dir; end++) sum += rows[fits[end]][SIZE] ?? 0;
        lines.push({ dir, count: end - at, sum });
        if (!state.closed.has(dir)) for (let i = at; i < end; i++) lines.push({ row: fits[i] });
        at = end;
      }
    }
    find("shown").textContent = shown === rows.length ? `${rows.length.toLocaleString("en")} rows` :
      `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    find("none").hidden = shown > 0;
    for (const button of document.querySelectorAll(".head button"))
      button.dataset.way = button.dataset.key === state.key ? state.way : 0;
    draw();
  };

  // ---- Only what is in sight is in the page, so a hundred thousand rows scroll like ten. Browsers end a page at some ten million
  // pixels, so with very many rows the scroll bar stands for more than it measures.
  const view = find("view"), space = find("space");
  const MOST_PIXELS = 8e6;
  const narrow = window.matchMedia("(max-width: 46rem)");
  const height = () => (narrow.matches ? 52 : 30);

  const draw = () => {
    // The columns stand under their heads, whatever the scroll bar takes.
    find("head").style.marginRight = `${view.offsetWidth - view.clientWidth}px`;
    const each = height(), total = lines.length * each, tall = Math.min(total, MOST_PIXELS);
    space.style.height = `${tall}px`;
    const most = Math.max(1, tall - view.clientHeight), real = Math.max(0, total - view.clientHeight);
    const at = total > MOST_PIXELS ? (view.scrollTop / most) * real : view.scrollTop;
    const first = Math.max(0, Math.floor(at / each) - 4);
    const last = Math.min(lines.length, Math.ceil((at + view.clientHeight) / each) + 4);
    const parts = document.createDocumentFragment();
    for (let i = first; i < last; i++) {
      const element = lines[i].row === undefined ? group(lines[i]) : line(lines[i].row);
      element.style.top = `${i * each - at + view.scrollTop}px`;
      parts.append(element);
    }
    const focused = document.activeElement?.dataset?.line;
    space.replaceChildren(parts);
    if (focused) space.querySelector(`[data-line="${focused}"]`)?.focus({ preventScroll: true });
  };

  const group = ({ dir, count, sum }) => {
    const element = make("div", "row group");
    const closed = state.closed.has(dir);
    const name = make("span", "path");
    name.append((closed ? "▸ " : "▾ "), make("bdi", "", data.dirs[dir] || "./"));
    element.append(name, make("small", "", `${count.toLocaleString("en")} · ${bytes(sum)}`));
    element.tabIndex = 0;
    element.role = "button";
    element.ariaExpanded = String(!closed);
    element.dataset.line = `d${dir}`;
    element.onclick = () => {
      closed ? state.closed.delete(dir) : state.closed.add(dir);
      arrange();
    };
    return element;
  };

  const line = (i) => {
    const row = rows[i];
    const element = make("div", "row" + (row[STATE] === FAILED ? " failed" : "") + (state.open === i ? " open" : ""));
    const action = make("span", "badge", data.actions[row[ACTION]].words);
    action.style.color = `var(--${data.actions[row[ACTION]].colour})`;
    const name = make("span", "path");
    name.append(make("bdi", "", (state.grouped ? row[NAME] : path(row))));
    if (row[TARGET] !== null) name.append(" → ", make("bdi", "", row[TARGET]));
    name.title = path(row);
    const reason = make("span", "why", why(row));
    reason.title = why(row);
    element.append(action, name, reason, make("span", "size", change(row[OLD_SIZE], row[SIZE], bytes)),
      make("span", "time", time(row[TIME] ?? row[OLD_TIME])));
    element.tabIndex = 0;
    element.role = "button";
    element.dataset.line = `r${i}`;
    element.onclick = () => {
      state.open = state.open === i ? null : i;
      explain();
      draw();
    };
    return element;
  };

  const explain = () => {
    const box = find("detail");
    box.hidden = state.open === null;
    if (box.hidden) return;
    const row = rows[state.open], list = make("dl");
    const tell = (word, text) => list.append(make("dt", "", word), make("dd", "", text));
    tell("what", data.actions[row[ACTION]].words + (row[STATE] === DONE ? ", done" : row[STATE] === FAILED ? ", failed" : ""));
    tell("path", path(row));
    if (row[TARGET] !== null) tell("target", row[TARGET]);
    tell("kind", data.kinds[row[KIND]]);
    tell("why", data.reasons[row[REASON]]);
    if (row[ERROR]) tell("message", row[ERROR]);
    for (const [word, from, to, show] of [["size", OLD_SIZE, SIZE, exactly], ["modified (UTC)", OLD_TIME, TIME, time]]) {
      if (row[from] !== null) tell(`${word} at the destination`, show(row[from]));
      if (row[to] !== null) tell(`${word} at the source`, show(row[to]));
    }
    box.replaceChildren(list);
  };

  // ---- The tools.
  const search = find("search");
  let pause;
  search.oninput = () => {
    clearTimeout(pause);
    pause = setTimeout(() => {
      state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      view.scrollTop = 0;
      arrange();
    }, rows.length > 20000 ? 150 : 0);
  };
  const chips = find("chips");
  const counts = new Map();
  for (const row of rows) counts.set(row[ACTION], (counts.get(row[ACTION]) ?? 0) + 1);
  for (const [action, count] of [...counts].sort((a, b) => a[0] - b[0])) {
    const chip = make("button", "chip", `${data.actions[action].words} ${count.toLocaleString("en")}`);
    chip.type = "button";
    chip.ariaPressed = "true";
    chip.dataset.action = data.actions[action].name;
    chip.style.borderColor = `var(--${data.actions[action].colour})`;
    chip.onclick = () => {
      const off = !state.off.delete(action);
      if (off) state.off.add(action);
      chip.ariaPressed = String(!off);
      view.scrollTop = 0;
      arrange();
    };
    chips.append(chip);
  }
  for (const button of document.querySelectorAll(".head button")) {
    button.onclick = () => {
      state.way = state.key === button.dataset.key ? -state.way : 1;
      state.key = button.dataset.key;
      arrange();
    };
  }
  find("grouped").onchange = (event) => {
    state.grouped = event.target.checked;
    view.scrollTop = 0;
    arrange();
  };
  find("fold").onclick = () => {
    const dirs = new Set(rows.map((row) => row[DIR]));
    state.closed = state.closed.size ? new Set() : dirs;
    find("fold").textContent = state.closed.size ? "Unfold all" : "Fold all";
    find("grouped").checked = state.grouped = true;
    view.scrollTop = 0;
    arrange();
  };
  find("theme").onclick = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  view.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    document.activeElement.click?.();
  };
  view.onscroll = () => requestAnimationFrame(draw);
  window.onresize = draw;
  narrow.onchange = draw;
  arrange();
})();
