(() => {
  const slide = (range, target) => {
    const set = () => target.style.setProperty("--at", range.value + "%");
    range.addEventListener("input", set);
    return set;
  };
  for (const tile of document.querySelectorAll(".wipe")) {
    const original = document.getElementById(tile.dataset.original);
    tile.querySelector(".over").src = original.src;
    slide(tile.querySelector("input"), tile)();
  }
  for (const dialog of document.querySelectorAll("dialog.zoom")) {
    const frame = dialog.querySelector(".frame"), stage = dialog.querySelector(".stage");
    const range = dialog.querySelector(".slide input"), size = dialog.querySelector("select");
    const [under, over, apart] = frame.querySelectorAll("img");
    const wipe = slide(range, frame);
    const scale = () => {
      frame.style.width = under.naturalWidth * size.value + "px";
      frame.style.height = under.naturalHeight * size.value + "px";
    };
    const show = (view) => {
      frame.dataset.view = view;
      if (view === "original" || view === "output") frame.style.setProperty("--at", view === "output" ? "0%" : "100%");
      else wipe();
      range.disabled = view !== "wipe";
    };
    dialog.open_on = (button) => {
      const view = button.dataset.view, tiles = button.closest(".tiles");
      const pair = button.closest(".pair") || tiles.querySelector(".pair");
      const own = pair.querySelector(".wipe"), name = button.closest(".card").querySelector("h4 bdi").textContent;
      under.src = own.querySelector("img").src;
      over.src = document.getElementById(own.dataset.original).src;
      apart.src = pair.querySelector(".apart img").src;
      under.alt = own.querySelector("img").alt;
      dialog.querySelector("h4").textContent = name + " · " + own.querySelector(".of").textContent;
      range.value = own.querySelector("input").value;
      dialog.querySelector(`input[value="${view}"]`).checked = true;
      show(view);
      dialog.showModal();
      under.decode().then(() => {
        const room = Math.min(stage.clientWidth / under.naturalWidth, stage.clientHeight / under.naturalHeight);
        size.value = [16, 12, 8, 6, 4, 3, 2, 1].find((k) => k <= Math.max(room, 1));
        scale();
        stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
      });
    };
    size.addEventListener("change", scale);
    range.addEventListener("input", () => show("wipe"));
    dialog.querySelector(".view").addEventListener("change", (event) => show(event.target.value));
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  document.addEventListener("play", (event) => {
    for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
  }, true);
  for (const button of document.querySelectorAll("button.look"))
    button.addEventListener("click", () => document.getElementById(button.dataset.dialog).open_on(button));
})();
