// A key that must be held: one second by finger, mouse, Space or Enter. Let go earlier, and nothing happens.

import { html, useEffect, useRef, useState } from "./ui.js";
import { buzz } from "./sound.js";

const HOLD_MS = 1000;

export function Hold({ onHeld, onEarly, onStart = () => {}, quiet, class: name, disabled, label, children }) {
  const [holding, setHolding] = useState(false);
  const timer = useRef(0);

  const stop = () => {
    clearTimeout(timer.current);
    timer.current = 0;
    setHolding(false);
  };
  const held = () => {
    stop();
    if (!quiet) buzz(200);
    onHeld();
  };
  const start = () => {
    if (timer.current || disabled) return;
    if (!quiet) buzz(30);
    timer.current = setTimeout(held, HOLD_MS);
    setHolding(true);
    onStart();
  };
  const release = () => {
    if (!timer.current) return;
    stop();
    onEarly();
  };
  useEffect(() => stop, []);

  const keyed = (act) => (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) act();
  };
  const pointed = (event) => {
    if (event.button) return;
    // A finger that slides off the key is still holding it: hands shake.
    event.currentTarget.setPointerCapture(event.pointerId);
    start();
  };
  return html`
    <button type="button" class=${`hold ${name}`} data-holding=${holding ? "" : null} disabled=${disabled} aria-label=${label}
      onPointerDown=${pointed} onPointerUp=${release} onPointerCancel=${release} onBlur=${release}
      onKeyDown=${keyed(start)} onKeyUp=${keyed(release)} onContextMenu=${(event) => event.preventDefault()}>
      <svg class="ring" viewBox="0 0 100 100" aria-hidden="true">
        <circle class="track" cx="50" cy="50" r="47" /><circle class="fill" cx="50" cy="50" r="47" pathLength="100" />
      </svg>
      <span class="hold-face">${children}</span>
    </button>`;
}
