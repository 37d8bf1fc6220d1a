(function () {
  "use strict";
  // Theme.
  document.querySelectorAll("input[name=theme]").forEach(function (input) {
    input.checked = input.value === window.theme.chosen();
    input.addEventListener("change", function () { window.theme.choose(input.value); });
  });

  // Tables: DataTables is run when the first one comes into sight, each table when it does.
  function library() {
    if (!window.DataTables) {
      var script = document.createElement("script");
      script.textContent = document.getElementById("datatables").textContent;
      document.head.appendChild(script);
    }
    return window.DataTables && window.DataTables.jQuery;
  }
  var paged = [];
  function sortable(table) {
    if (table.dataset.made) return;
    table.dataset.made = "yes";
    var figure = table.closest("figure"), $ = library();
    if (!$) return; // the table stays as it is
    var long = figure && figure.classList.contains("long");
    var made = $(table).DataTable({
      order: [], autoWidth: false, paging: long, pageLength: 25,
      lengthMenu: [25, 100, { label: "All", value: -1 }],
      searching: !!figure && figure.classList.contains("filtered"),
      language: { search: "", searchPlaceholder: "Filter rows", lengthMenu: "_MENU_ rows",
                  info: "_START_–_END_ of _TOTAL_", infoEmpty: "No rows", infoFiltered: "of _MAX_",
                  zeroRecords: "No row matches" },
      layout: { topStart: null, topEnd: null,
                top: figure && figure.classList.contains("filtered") ? "search" : null,
                bottomStart: long ? ["info", "pageLength"] : null, bottomEnd: long ? "paging" : null, bottom: null }
    });
    if (long) paged.push(made);
    var name = table.getAttribute("aria-labelledby");
    var box = figure && figure.querySelector("input[type=search]");
    if (box) box.setAttribute("aria-label", "Filter rows" + (name ? " of " + document.getElementById(name).textContent : ""));
    if (figure) figure.classList.add("made");
  }
  var tables = document.querySelectorAll("table.sortable");
  if ("IntersectionObserver" in window) {
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) { seen.unobserve(entry.target); sortable(entry.target); }
      });
    }, { rootMargin: "200px" });
    // After the first paint: the page can be read before its tables can be sorted.
    requestAnimationFrame(function () { setTimeout(function () {
      tables.forEach(function (table) { seen.observe(table); });
    }, 0); });
  } else tables.forEach(sortable);
  window.addEventListener("beforeprint", function () { paged.forEach(function (t) { t.page.len(-1).draw(false); }); });
  window.addEventListener("afterprint", function () { paged.forEach(function (t) { t.page.len(25).draw(false); }); });

  // Copy buttons.
  var said = document.getElementById("said");
  function older(text) {
    var area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject();
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-copy]");
    if (!button) return;
    var text = button.dataset.copy;
    (navigator.clipboard ? navigator.clipboard.writeText(text).catch(function () { return older(text); }) : older(text))
      .then(function () { button.classList.add("done"); said.textContent = "Copied"; },
            function () { said.textContent = "Copying was refused"; })
      .then(function () { setTimeout(function () { button.classList.remove("done"); said.textContent = ""; }, 1500); });
  });

  // Definitions: shown beside their name on hover and focus; the name is a link to them too.
  var box = document.getElementById("definition"), shownFor = null, leaving = 0;
  function hide() { clearTimeout(leaving); shownFor = null; if (box.hidePopover && box.matches(":popover-open")) box.hidePopover(); }
  function later() { clearTimeout(leaving); leaving = setTimeout(hide, 250); }
  function show(link) {
    clearTimeout(leaving);
    var meaning = document.getElementById(link.hash.slice(1));
    if (shownFor === link || !meaning || !box.showPopover) return;
    box.replaceChildren.apply(box, Array.from(meaning.childNodes, function (node) { return node.cloneNode(true); }));
    box.querySelectorAll("[id]").forEach(function (node) { node.removeAttribute("id"); });
    if (!box.matches(":popover-open")) box.showPopover();
    shownFor = link;
    var at = link.getBoundingClientRect(), size = box.getBoundingClientRect();
    var below = at.bottom + 6 + size.height <= innerHeight || at.top < size.height + 6;
    box.style.left = Math.max(8, Math.min(at.left, innerWidth - size.width - 8)) + "px";
    box.style.top = (below ? at.bottom + 6 : at.top - size.height - 6) + "px";
  }
  function over(event) { return event.target.closest && event.target.closest("a.term"); }
  document.addEventListener("mouseover", function (event) {
    var link = over(event);
    if (link) show(link); else if (event.target.closest("#definition")) clearTimeout(leaving);
    else if (shownFor) later();
  });
  document.addEventListener("focusin", function (event) { var link = over(event); if (link) show(link); else if (!event.target.closest("#definition")) hide(); });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", function (event) { if (event.target !== box) hide(); }, { passive: true, capture: true });

  // A link into a folded part unfolds it.
  function unfold() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();

  // The contents say where one is.
  var links = new Map();
  document.querySelectorAll("nav a").forEach(function (a) { links.set(a.hash.slice(1), a); });
  if ("IntersectionObserver" in window) {
    var here = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        var link = links.get(entry.target.id);
        if (!link || !entry.isIntersecting) return;
        links.forEach(function (other) { other.removeAttribute("aria-current"); });
        link.setAttribute("aria-current", "true");
      });
    }, { rootMargin: "-15% 0px -75% 0px" });
    document.querySelectorAll("main > section").forEach(function (section) { here.observe(section); });
  }
})();
