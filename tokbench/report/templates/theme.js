// Before the first paint, so that a chosen theme does not flash. Storage may be refused.
(function () {
  var key = "tokbench-theme", root = document.documentElement;
  root.classList.add("js");
  window.theme = {
    chosen: function () { try { return localStorage.getItem(key) || "system"; } catch (e) { return "system"; } },
    choose: function (value) {
      if (value === "light" || value === "dark") root.dataset.theme = value;
      else delete root.dataset.theme;
      try { localStorage.setItem(key, value); } catch (e) { /* for this page alone then */ }
    }
  };
  window.theme.choose(window.theme.chosen());
})();
