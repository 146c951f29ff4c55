/* A dialog: a native one, so that focus stays in it and comes back after it. */
import { h } from "../vendor/preact.js";
import { useEffect, useRef } from "../vendor/hooks.js";
import { button, div, h2, header } from "./elements.js";
import { icon } from "./icons.js";
import { dialog } from "./shared.js";

export const close = () => (dialog.value = null);

/**
 * @param {object} props
 * @param {string} props.title
 * @param {any} [props.children]
 * @param {string} [props.class]
 * @param {boolean} [props.stays] A click beside it does not close it.
 */
export function Dialog({ title, children, class: more = "", stays = false }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const outside = (/** @type {MouseEvent} */ event) => {
    if (event.target === box.current && !stays) close();
  };
  return h(
    "dialog",
    { class: `dlg ${more}`, ref: box, "aria-label": title, onClose: close, onMouseDown: outside },
    div(
      { class: "inner" },
      header(
        null,
        h2(null, title),
        button(
          { class: "icon", type: "button", onClick: close, "aria-label": "Close" },
          icon("stop"),
        ),
      ),
      children,
    ),
  );
}
