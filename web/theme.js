/* Sets the theme before the first paint; the one script that is no module. */
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("relayline.theme");
  } catch {
    // a browser without storage follows the system
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen ?? (dark ? "dark" : "light");
})();
