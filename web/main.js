/* Starts the page. */
import "./wire/returned.js";
import { h, render } from "./vendor/preact.js";
import { App } from "./views/app.js";
import { start } from "./parts/keyboard.js";

const root = document.getElementById("app");
if (root) render(h(App, null), root);
start();
