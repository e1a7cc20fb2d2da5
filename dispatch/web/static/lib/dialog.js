// A question over the page. Escape and the backdrop's back gesture close it, and change nothing.

import { html, T, useEffect, useRef } from "./ui.js";

export function Dialog({ title, onClose, children }) {
  const element = useRef();
  useEffect(() => element.current.showModal(), []);
  return html`
    <dialog ref=${element} onClose=${onClose}>
      <div class="dialog-body"><h2><${T} of=${title} /></h2>${children}</div>
    </dialog>`;
}
