// Repairs for widgets in a page without a kernel. Loaded in the head, before everything that it mends.

// Font Awesome's script would turn the icon of a widget button into a picture that the widget no longer knows.
window.FontAwesomeConfig = Object.assign({}, window.FontAwesomeConfig, { observeMutations: false });
if (window.FontAwesome && FontAwesome.config) FontAwesome.config.observeMutations = false;

// The widget manager speaks to MathJax 2 when it finds any MathJax.
addEventListener("DOMContentLoaded", () => {
  const math = window.MathJax;
  if (math && !math.Hub) math.Hub = { Queue() {} };
});

// Names for controls that have none, or one that differs from what can be seen on them.
(() => {
  const PLAY = { play: "Play", pause: "Pause", stop: "Back to the first step", retweet: "Repeat", repeat: "Repeat" };
  const set = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
  const text = (node) => (node ? node.textContent.replace(/\s+/g, " ").trim() : "");

  function nameWidgetButton(button) {
    if (text(button)) return;
    const icon = button.querySelector("i, svg");
    const kind = Object.keys(PLAY).find((key) => icon && icon.classList.contains(`fa-${key}`));
    set(button, "aria-label", PLAY[kind] || button.title || "Button");
    if (icon) set(icon, "aria-hidden", "true");
  }

  function nameSlider(handle) {
    const box = handle.closest(".jupyter-widgets");
    set(handle, "aria-label", text(box && box.querySelector(".widget-label")) || "Step");
  }

  function nameColorMode(button) {
    const icon = button.querySelector(`svg[data-mode="${document.documentElement.dataset.mode}"] title`);
    if (icon) set(button, "aria-label", `Color mode: ${text(icon)}`);
  }

  // A summary with words of its own needs no other name; the arrows in the table of contents are named by their chapter.
  function nameSummary(summary) {
    const chapter = text(summary.parentElement.parentElement.querySelector(":scope > a"));
    if (text(summary)) summary.removeAttribute("aria-label");
    else set(summary, "aria-label", chapter ? `Pages of: ${chapter}` : "More");
  }

  // What scrolls sideways must be reachable by keyboard.
  function letKeysScroll(box) {
    if (box.scrollWidth > box.clientWidth) set(box, "tabindex", "0");
    else box.removeAttribute("tabindex");
  }

  function mend() {
    const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
    each(".jupyter-widgets button", nameWidgetButton);
    each(".jupyter-widgets .noUi-handle", nameSlider);
    each(".theme-switch-button", nameColorMode);
    each(".search-button__button.search-button-field", (button) => set(button, "aria-label", text(button)));
    each("details > summary", nameSummary);
    each(".cell_output .text_html, .widget-html-content, div.highlight pre", letKeysScroll);
  }

  // Says what a stepper or a list of choices now shows, in a few words; only after somebody used it, so that a page
  // that loads and a picture that plays stay silent.
  function announce(event) {
    const box = event.target.closest && event.target.closest(".cell_output .jupyter-widgets");
    if (!box) return;
    clearTimeout(announce.waiting);
    announce.waiting = setTimeout(() => {
      const step = box.closest(".widget-vbox")?.querySelector(".rpcmemkit-step");
      const told = step ? [...step.querySelectorAll("p, li")].map(text).join(" ").slice(0, 400) : "";
      let region = document.getElementById("rpcmemkit-live");
      if (!region) {
        region = document.createElement("div");
        region.id = "rpcmemkit-live";
        region.setAttribute("aria-live", "polite");
        document.querySelector("article").append(region);
      }
      if (text(region) !== told) region.textContent = told;
    }, 400);
  }
  for (const kind of ["change", "click", "keyup"]) addEventListener(kind, announce);

  // Paper cannot be unfolded: answers and drop-downs are open while the page is printed.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("article details:not([open])")) {
      details.dataset.forPrint = "";
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("article details[data-for-print]")) {
      delete details.dataset.forPrint;
      details.open = false;
    }
  });

  addEventListener("DOMContentLoaded", () => {
    let waiting = false;
    const later = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; mend(); });
    };
    later();
    addEventListener("resize", later);
    new MutationObserver(later).observe(document.documentElement, {
      attributes: true, attributeFilter: ["class", "data-mode"], childList: true, subtree: true,
    });
  });
})();
