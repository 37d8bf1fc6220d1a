(() => {
  const get = (id) => document.getElementById(id);
  const data = JSON.parse(get("tokens-data").textContent);
  const [select, filter, area, tip] = ["group", "filter", "samples", "tip"].map((n) => get("tokens-" + n));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const NAMES = { 0x9: "TAB", 0xa: "LF", 0xd: "CR", 0xa0: "NBSP", 0xad: "SHY", 0x34f: "CGJ", 0x61c: "ALM",
    0x200b: "ZWSP", 0x200c: "ZWNJ", 0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x2028: "LS", 0x2029: "PS",
    0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x202f: "NNBSP", 0x2060: "WJ",
    0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0x3000: "IDSP", 0xfe0e: "VS15", 0xfe0f: "VS16",
    0xfeff: "BOM" };
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{DI}\p{Z}\u2800]/u, MARK = /^\p{M}+/u;
  const RTL = /[\p{sc=Arab}\p{sc=Hebr}\p{sc=Syrc}\p{sc=Thaa}\p{sc=Nkoo}\p{sc=Adlm}\p{sc=Mand}\p{sc=Samr}\p{sc=Rohg}]/u;
  const direction = (text) => RTL.test((text.match(/\p{L}/u) || [""])[0]) ? "rtl" : "ltr";
  const hex = (bytes) => [...bytes].map((b) => b.toString(16).toUpperCase().padStart(2, "0")).join(" ");

  function make(name, kind, content = "") {
    const found = document.createElement(name);
    if (kind) found.className = kind;
    found.append(content);
    return found;
  }

  // A character by itself, or the bytes of a part of one.
  function* pieces(bytes) {
    for (let at = 0; at < bytes.length;) {
      const b = bytes[at], size = b < 0x80 ? 1 : b < 0xc0 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
      try {
        if (!size || at + size > bytes.length) throw 0;
        yield decoder.decode(bytes.subarray(at, at + size));
        at += size;
      } catch {
        let stop = at + 1;
        while (stop < bytes.length && (bytes[stop] & 0xc0) === 0x80) stop++;
        yield bytes.subarray(at, stop);
        at = stop;
      }
    }
  }

  // Bytes as people can see them: text, boxes for what is invisible, hexadecimal for the rest.
  function draw(into, bytes) {
    let run = "", first = true;
    const flush = () => {
      const alone = first ? (run.match(MARK) || [""])[0] : "";
      if (alone) into.append(make("span", "mark", "\u25cc" + alone));
      if (run) { into.append(run.slice(alone.length)); first = false; }
      run = "";
    };
    for (const piece of pieces(bytes)) {
      if (typeof piece !== "string") { flush(); into.append(make("b", "hex", hex(piece))); first = false; }
      else if (piece === " ") { flush(); into.append(make("i", "sp", " ")); first = false; }
      else if (HIDDEN.test(piece)) {
        flush();
        const point = piece.codePointAt(0);
        into.append(make("b", "chip", NAMES[point] || "U+" + point.toString(16).toUpperCase().padStart(4, "0")));
        if (piece === "\n") into.append("\n");
        if (piece === "\t") into.append("\t");
        first = false;
      } else run += piece;
    }
    flush();
    return into;
  }

  function tokens(sample, number) {
    const about = data.tokenizers[number], box = make("div", "tokens-text");
    box.dir = direction(sample.text);
    box.lang = sample.lang;
    box.setAttribute("role", "group");
    const bytes = new TextEncoder().encode(sample.text), [ids, sizes, placed] = sample.cells[number];
    let at = 0, count = 0;
    ids.forEach((id, place) => {
      const own = bytes.subarray(at, (at += sizes[place]));
      const surface = about.surfaces[id] === undefined ? null : Uint8Array.from(about.surfaces[id], (c) => c.charCodeAt(0));
      const kind = id < 0 ? "gap" : own.length ? "t" + (count % 4) : "none";
      const cell = draw(make("span", "tok " + kind), own.length || id < 0 ? own : surface || []);
      if (kind === "none" && !cell.childNodes.length) cell.append("#" + id);
      if (id === about.unknown) cell.classList.add("unknown");
      if (id >= 0) count++;
      cell.about = { id, own, surface, unknown: id === about.unknown, placed };
      cell.tabIndex = place ? -1 : 0;
      cell.setAttribute("role", "button");
      box.append(cell);
    });
    const head = make("h3", "tokens-name", make("bdi", "", about.name));
    const rate = count ? " · " + (bytes.length / count).toFixed(2) + " bytes per token" : "";
    head.append(make("span", "", count + (count === 1 ? " token" : " tokens") + rate));
    box.setAttribute("aria-label", count + " tokens of " + about.name);
    const whole = make("div", "tokens-one", head);
    whole.append(box);
    return whole;
  }

  function show() {
    leave();
    const [set, ...rest] = select.value.split(":"), group = rest.join(":");
    area.replaceChildren(...(data.sets[set] || []).filter((s) => s.group === group).map((sample) => {
      const size = new TextEncoder().encode(sample.text).length;
      const text = make("blockquote", "", sample.text);
      text.dir = direction(sample.text);
      text.lang = sample.lang;
      const said = (sample.title ? sample.title + ", sample " : "Sample ") + sample.index + ", " + size + " bytes" + (sample.cut ? ", the beginning of it" : "");
      const article = make("article", sample.lang ? "tokens-sample" : "tokens-sample plain", make("p", "text-note", said));
      article.append(text, ...sample.cells.map((cells, number) => cells ? tokens(sample, number)
        : make("p", "text-note", data.tokenizers[number].name + ": not encoded")));
      return article;
    }));
  }

  function enter(cell) {
    const { id, own, surface, unknown, placed } = cell.about;
    const list = make("dl"), row = (name, value) => list.append(make("dt", "", name), value);
    if (id >= 0) row("id", make("dd", "", String(id)));
    const shown = own.length || id < 0 ? own : surface || own;
    row("bytes", make("dd", "tip-bytes", hex(shown) || "none"));
    if ([...pieces(shown)].some((piece) => typeof piece === "string")) row("text", draw(make("dd", "tip-text"), shown));
    if (surface && own.length) row("in the vocabulary", draw(make("dd", "tip-text"), surface));
    const note = id < 0 ? (placed ? "no token stands for this" : "the tokenizer does not say where its tokens are")
      : unknown ? "unknown token" : own.length ? "" : "no bytes of the text to itself";
    if (note) row("", make("dd", "", note));
    tip.replaceChildren(list);
    tip.hidden = false;
    const [frame, spot] = [tip.offsetParent.getBoundingClientRect(), cell.getClientRects()[0] || cell.getBoundingClientRect()];
    const left = Math.min(spot.left - frame.left, frame.width - tip.offsetWidth);
    tip.style.left = Math.max(0, left) + "px";
    tip.style.top = spot.bottom - frame.top + 6 + "px";
    cell.setAttribute("aria-describedby", tip.id);
  }
  function leave() { tip.hidden = true; }

  const cellOf = (event) => event.target.closest && event.target.closest("#tokens-samples .tok");
  for (const [event, act] of [["mouseover", enter], ["focusin", enter], ["click", enter], ["mouseout", leave], ["focusout", leave]])
    area.addEventListener(event, (e) => { const cell = cellOf(e); if (cell) act(cell); });
  area.addEventListener("keydown", (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    if (event.key === "Escape") return leave();
    const forward = getComputedStyle(cell.parentNode).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const to = { Home: cell.parentNode.firstChild, End: cell.parentNode.lastChild,
      ArrowLeft: cell.previousSibling, ArrowRight: cell.nextSibling };
    if (forward === "ArrowLeft") [to.ArrowLeft, to.ArrowRight] = [to.ArrowRight, to.ArrowLeft];
    if (!(event.key in to)) return;
    event.preventDefault();
    if (to[event.key]) { cell.tabIndex = -1; to[event.key].tabIndex = 0; to[event.key].focus(); }
  });

  const all = [...select.children].map((set) => [set, [...set.children]]);
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase(), chosen = select.value;
    for (const [set, options] of all) set.replaceChildren(...options.filter((o) => o.text.toLowerCase().includes(wanted)));
    select.replaceChildren(...all.map(([set]) => set).filter((set) => set.children.length));
    if ([...select.options].some((o) => o.value === chosen)) select.value = chosen;
    else if (select.options.length) { select.selectedIndex = 0; show(); }
  });
  filter.form.addEventListener("submit", (event) => event.preventDefault());
  function step(by) {
    const count = select.options.length;
    if (count) { select.selectedIndex = (select.selectedIndex + by + count) % count; show(); }
  }
  select.addEventListener("change", show);
  get("tokens-before").addEventListener("click", () => step(-1));
  get("tokens-after").addEventListener("click", () => step(1));
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[data-tokens]");
    if (!link) return;
    filter.value = "";
    filter.dispatchEvent(new Event("input"));
    const option = [...select.options].find((o) => o.value.endsWith(":" + link.dataset.tokens));
    if (option) { select.value = option.value; show(); }
  });
  show();
})();
