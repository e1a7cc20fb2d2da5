// A key that must be held: one second by finger, mouse, Space or Enter. Let go earlier, and nothing happens.

import { html, useEffect, useRef, useState } from "./ui.js";
import { buzz } from "./sound.js";

const HOLD_MS = 1000;

export function Hold({ onHeld, onEarly, onStart = () => {}, quiet, class: name, disabled, label, children }) {
  const [holding, setHolding] = useState(false);
  const timer = useRef(0);
  const since = useRef(0);

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
  const start = (event) => {
    if (timer.current || disabled) return;
    since.current = event.timeStamp;
    if (!quiet) buzz(30);
    timer.current = setTimeout(held, HOLD_MS);
    setHolding(true);
    onStart();
  };
  const lose = () => {
    if (!timer.current) return;
    stop();
    onEarly();
  };
  // A busy page is told of the release before its timer has come round: what counts is how long the key was held.
  const release = (event) => (timer.current && event.timeStamp - since.current >= HOLD_MS ? held() : lose());
  useEffect(() => stop, []);

  const keyed = (act) => (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) act(event);
  };
  const pointed = (event) => {
    if (event.button) return;
    // A finger that slides off the key is still holding it: hands shake.
    event.currentTarget.setPointerCapture(event.pointerId);
    start(event);
  };
  return html`
    <button type="button" class=${`hold ${name}`} data-holding=${holding ? "" : null} disabled=${disabled} aria-label=${label}
      onPointerDown=${pointed} onPointerUp=${release} onPointerCancel=${lose} onBlur=${lose}
      onKeyDown=${keyed(start)} onKeyUp=${keyed(release)} onContextMenu=${(event) => event.preventDefault()}>
      <svg class="ring" viewBox="0 0 100 100" aria-hidden="true">
        <circle class="track" cx="50" cy="50" r="47" /><circle class="fill" cx="50" cy="50" r="47" pathLength="100" />
      </svg>
      <span class="hold-face">${children}</span>
    </button>`;
}
