// What every page draws with.

import htm from "../vendor/htm/htm.js";
import { h, render } from "../vendor/preact/preact.js";
import { useLayoutEffect, useRef } from "../vendor/preact/hooks.js";
import { fullLocal, now, onTick, shortLocal, span } from "./clock.js";
import { w } from "./words.js";

export { Component, render } from "../vendor/preact/preact.js";
export { useEffect, useRef, useState } from "../vendor/preact/hooks.js";

export const html = htm.bind(h);

// A label in both languages: `of` is [Chinese, English].
export const T = ({ of: [zh, en] }) => html`<span class="t"><span class="zh">${zh}</span>${" "}<span class="en" lang="en">${en}</span></span>`;

// An element whose text follows the clock without drawing the page again. `text(now)` → string.
export function Ticking({ text, step, class: name = "clock", title }) {
  const element = useRef();
  useLayoutEffect(() => {
    const node = element.current;
    const show = (time) => {
      const words = text(time);
      if (node.textContent !== words) node.textContent = words;
      if (step) node.dataset.step = step(time);
    };
    show(now());
    return onTick(show);
  });
  return html`<span class=${name} ref=${element} title=${title} aria-live="off"></span>`; // not read out each second
}

export const Elapsed = ({ since, step, class: name }) => html`
  <${Ticking} class=${name} step=${step} title=${fullLocal(since)} text=${(time) => span(time - Date.parse(since))} />`;

// Words in both languages that follow the clock: `of(now)` → [Chinese, English].
export const TickingT = ({ of }) => html`<span class="t"><${Ticking} class="zh clock" text=${(time) => of(time)[0]} />${" "}<span
  class="en" lang="en"><${Ticking} text=${(time) => of(time)[1]} /></span></span>`;

// Minutes and seconds until somebody should be there; says so when that has passed.
export const Eta = ({ at, class: name }) => html`
  <${Ticking} class=${name} title=${fullLocal(at)}
    text=${(time) => (Date.parse(at) > time ? span(Date.parse(at) - time) : w.due[0])} />`;

export const At = ({ at }) => html`<time datetime=${at} title=${fullLocal(at)}>${shortLocal(at)}</time>`;

// Says how the line to the server is, when it is not well. `urgent` is what to do meanwhile.
export function LineState({ live, urgent }) {
  if (live.state === "signed-out") {
    return html`<div class="banner bad" role="alert"><${T} of=${w.signedOut} /> <a href="/"><${T} of=${w.signIn} /></a></div>`;
  }
  if (live.state !== "lost") return null;
  return html`
    <div class="banner bad" role="alert" data-line="lost">
      <span><${T} of=${w.lineLost} /> <${Ticking} class="clock" text=${() => span(Date.now() - live.heardAt)} /></span>
      ${urgent && html`<${T} of=${urgent} />`}
    </div>`;
}

// Draws `view()` into the page's root whenever the returned function is called.
export function page(view) {
  const root = document.getElementById("page");
  root.replaceChildren();
  return () => render(view(), root);
}
