// The two switches of a responder's phone: notifications, and the sound of the ring.

import { canPush, register, renew, turnOn } from "./push.js";
import { canSound, chime, onSound, unlock } from "./sound.js";
import { html, T } from "./ui.js";
import { w } from "./words.js";

export class Phone {
  constructor(changed) {
    this.changed = changed;
    this.push = canPush ? (Notification.permission === "denied" ? "denied" : "off") : "missing";
    // A page may not sound before somebody touches it, so the first touch anywhere turns the sound on. On the click,
    // not on the way down: what is drawn in between would move the key away under the finger.
    for (const gesture of ["click", "keydown"]) addEventListener(gesture, () => this.#unlock(), { capture: true });
    onSound(changed);
    this.SoundKey = ({ large }) => html`
      <button type="button" class=${`button amber ${large ? "large" : ""}`} data-switch="sound"
        onClick=${() => this.#unlock()}><${T} of=${large ? w.ringIsOff : w.soundNeeded} /></button>`;
    this.Switches = ({ quiet }) => this.#switches(quiet);
  }

  get sounds() {
    return canSound();
  }

  async begin(vapidKey) {
    this.vapidKey = vapidKey;
    linkManifest();
    try {
      this.registration = await register();
      if (await renew(this.registration)) this.push = "on";
    } catch {
      // Registered again the next time that the page opens; the page rings by itself meanwhile.
    }
    this.changed();
  }

  async #unlock() {
    if (canSound()) return;
    await unlock();
    this.changed();
  }

  async #turnOn() {
    try {
      this.push = await turnOn(this.registration, this.vapidKey);
    } catch {
      this.push = "failed";
    }
    this.changed();
  }

  #switches(quiet) {
    const hint = { denied: w.pushDenied, missing: w.pushMissing, failed: w.pushFailed }[this.push];
    const canTurnOn = this.push === "off" || this.push === "failed";
    return html`
      <section class="switches">
        ${this.sounds && html`<p class="on">✓ <${T} of=${w.soundIsOn} />
          ${!quiet && html` <button type="button" class="button" onClick=${chime}><${T} of=${w.soundTest} /></button>`}</p>`}
        ${this.push === "on" && html`<p class="on">✓ <${T} of=${w.pushIsOn} /></p>`}
        ${canTurnOn && html`<button type="button" class="button main" data-switch="push" disabled=${!this.registration || !this.vapidKey}
          onClick=${() => this.#turnOn()}><${T} of=${w.pushOn} /></button>`}
        ${hint && html`<p class="problem"><${T} of=${hint} /></p>`}
      </section>`;
  }
}

function linkManifest() {
  const subject = location.pathname.split("/")[2];
  const link = Object.assign(document.createElement("link"), {
    rel: "manifest", href: `/manifest/${subject}.webmanifest`, crossOrigin: "use-credentials",
  });
  document.head.append(link);
}
