/* Starts the page. */
import "./wire/returned.js";
import { h, render } from "./vendor/preact.js";
import { App } from "./views/app.js";
import { start } from "./parts/keyboard.js";

const root = document.getElementById("app");
if (root) render(h(App, null), root);
start();

/** A file that is dropped beside what takes it replaces no page. @param {DragEvent} event */
const keep = (event) => {
  if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
};
document.addEventListener("dragover", keep);
document.addEventListener("drop", keep);
