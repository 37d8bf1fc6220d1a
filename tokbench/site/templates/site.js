"use strict";
(() => {
  const said = document.getElementById("said");

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // As tokbench.tables.number: four significant digits, a dash for what was not measured.
  const number = (value) => {
    if (value === null || value === undefined || value === "") return "—";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size >= 1000 || size >= 1000)
      return Math.round(value).toLocaleString("en-US");
    if (value && size < 1e-3) return Number(value.toPrecision(3)).toString();
    return Number(value.toPrecision(4)).toString();
  };

  // Unseen digits put the decimal points of a column in line: as tokbench.tables.padding.
  const measure = (value, places) => {
    const size = Math.abs(value), whole = number(value);
    const made = element("span", "",
      whole.includes(".") && size >= 1e-3 && size < 1e3 ? value.toPrecision(4) : whole);
    const have = (made.textContent.split(".")[1] || "").length;
    if (have < places) made.dataset.lacks = (have ? "" : ".") + "0".repeat(places - have);
    return made;
  };

  // Addresses in the data are files of this site; whatever else stays text.
  const link = ([text, address], name) => {
    const inside = /^(?:\.\.\/)*[\w.-]+(?:\/[\w.-]+)*$/.test(address || "");
    const made = element(inside ? "a" : "span", "", undefined);
    if (inside) made.href = address;
    const shown = element("bdi", name, text);
    if (name) shown.title = text.slice(0, 500);
    made.append(shown);
    return made;
  };

  const copyButton = (text) => {
    const made = element("button", "copy", "Copy");
    made.type = "button";
    made.dataset.copy = text;
    made.setAttribute("aria-label", "Copy the signature");
    return made;
  };

  const below = (first, text) => {
    const made = element("span");
    made.append(first);
    if (text) made.append(element("span", "below", text));
    return made;
  };

  const shown = {
    note: (cell) => element("bdi", "", cell),
    task: ([text, address, about]) => below(link([text, address], ""), about),
    best: ([value, of]) => below(element("span", "", number(value)), value === null ? "" : of),
    text: (cell) => element("bdi", cell.length < 24 ? "whole" : "", cell),
    interval: (cell) => element("span", "", cell),
    date: (cell) => element("span", "", (cell || "").slice(0, 10)),
    name: (cell) => link(cell, "name"),
    number: measure,
    rank: (cell) => element("span", "", number(cell)),
    copy: copyButton,
    score: ([value, address], places) => {
      const made = measure(address ? value : null, places);
      if (address) made.replaceChildren(link([made.textContent, address], ""));
      return made;
    },
    links: (cell) => {
      const made = element("span");
      made.append(...cell.map((each) => link(each, "")));
      return made;
    },
  };

  const first = (cell) => cell[0];
  const plain = { name: first, score: first, best: first, links: () => "" };
  const numeric = (kind) => ["number", "rank", "score", "best"].includes(kind);
  const classes = { date: "nowrap", links: "nowrap", interval: "nowrap", copy: "nowrap",
    name: "held", task: "words held", note: "words" };

  const column = ({ kind, places }, place) => ({
    className: numeric(kind) ? "number" : classes[kind] || (place ? "" : "held"),
    orderable: !["copy", "links", "interval"].includes(kind),
    searchable: ["text", "note", "name", "task", "date"].includes(kind),
    type: numeric(kind) ? "measured" : "written",
    render: (cell, asked) => {
      if (asked === "display") return shown[kind](cell, places);
      if (kind === "task") return asked === "filter" ? `${cell[0]} ${cell[2]}` : cell[0];
      return plain[kind] ? plain[kind](cell) : cell;
    },
  });

  if (window.DataTables) {
    const DataTable = window.DataTables.jQuery.fn.dataTable;
    // What was not measured comes last, whichever way one sorts.
    const missing = (value) => value === null || value === undefined || value === "";
    const measured = (way) => (a, b) =>
      missing(a) ? (missing(b) ? 0 : 1) : missing(b) ? -1 : way * (a - b);
    DataTable.ext.type.order["measured-asc"] = measured(1);
    DataTable.ext.type.order["measured-desc"] = measured(-1);
    const written = (way) => (a, b) => (a < b ? -way : a > b ? way : 0);
    DataTable.ext.type.order["written-asc"] = written(1);
    DataTable.ext.type.order["written-desc"] = written(-1);
    DataTable.ext.errMode = "throw";
    for (const table of document.querySelectorAll("table[data-rows]")) {
      const data = JSON.parse(document.getElementById(table.dataset.rows).textContent);
      const few = data.rows.length <= 25;
      new DataTable(table, {
        data: data.rows,
        columns: data.columns.map(column),
        order: data.order,
        deferRender: true,
        orderClasses: false,
        autoWidth: false,
        pageLength: 25,
        paging: !few,
        layout: {
          topStart: "search", topEnd: few ? null : "info",
          bottomStart: few ? null : "pageLength", bottomEnd: few ? null : "paging",
        },
        language: { search: "Filter", lengthMenu: "_MENU_ rows", info: "_START_–_END_ of _TOTAL_",
          infoFiltered: "(of _MAX_)", zeroRecords: "No row matches" },
      });
      // What scrolls is now the table alone, without its filter: so is what the keyboard reaches.
      const outer = table.closest(".scroll"), inner = table.parentElement;
      outer.style.minHeight = "";
      for (const name of ["role", "aria-label", "tabindex"]) {
        inner.setAttribute(name, outer.getAttribute(name));
        outer.removeAttribute(name);
      }
      outer.classList.remove("scroll");
      inner.classList.add("scroll");
    }
  }

  const copied = (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = element("textarea", "hidden", text);
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("refused"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const tell = (word) => {
      button.textContent = word;
      button.classList.toggle("done", word === "Copied");
      said.textContent = word;
      setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 1500);
    };
    copied(button.dataset.copy).then(() => tell("Copied"), () => tell("Not allowed"));
  });
})();
