/* In a narrow window: the pages that have no room at the bottom, and what the rail's foot has. */
import { h } from "../vendor/preact.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { Dialog, close } from "../parts/dialog.js";
import { place } from "../parts/navigation.js";
import { Connection, Corner, MoreLinks } from "./rail.js";

export function More() {
  const { path } = place.value;
  const [before] = useState(path);
  useEffect(() => {
    if (path !== before) close();
  }, [path]);
  return h(
    Dialog,
    { title: "More", class: "more-pages" },
    h(MoreLinks, null),
    h(Connection, null),
    h(Corner, null),
  );
}
