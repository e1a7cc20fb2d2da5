// Requests to our own server, as the identity that this page belongs to.

import { problems, w } from "./words.js";

const ROLES = { resident: "device", responder: "responder", desk: "operator" };
// A browser opens six connections to a server at most, and each open page holds one for its stream. A request that
// waits longer than this may be waiting for one of them, so its page lends its own (live.js).
const WAITS_MS = 500;
const UNKNOWN_AGAIN_MS = 30_000;
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);

export function identityOf(path) {
  const [, page, subject] = path.split("/");
  return page in ROLES && subject ? { role: ROLES[page], subject: decodeURIComponent(subject) } : null;
}

export const identity = identityOf(location.pathname);
export const actingAs = identity && `${identity.role}:${identity.subject}`;

// Not crypto.randomUUID: that is missing on plain http in a village's own network.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What went wrong with a request; `again` when sending the same one again can help.
export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.detail || document.title || String(status));
    Object.assign(this, { status, document });
    this.again = status === 0 || AGAIN.has(status);
    this.retryAfter = Number(document.retry_after) || 0;
  }

  // [Chinese, English], for people.
  get words() {
    const [zh, en] = problems[this.status] || (this.again ? w.serverAway : w.refused);
    const detail = this.document.detail;
    return [zh, detail ? `${en} — ${detail}` : en];
  }
}

// The answer's JSON. Throws `Problem`; its status is 0 when no answer came in `timeout` ms.
export async function call(method, path, { body, key, timeout = 8000 } = {}) {
  const headers = { Accept: "application/json" };
  if (actingAs) headers["Dispatch-As"] = actingAs;
  if (key) headers["Idempotency-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeout);
  let waits = false;
  const slow = setTimeout(() => { waits = true; dispatchEvent(new Event("request-waits")); }, WAITS_MS);
  try {
    const answer = await fetch(path, {
      method, headers, signal: patience.signal, cache: "no-store", credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    // One that breaks off is no answer.
    if (answer.ok) return await answer.json();
    throw new Problem(answer.status, await answer.json().catch(() => ({})));
  } catch (error) {
    throw error instanceof Problem ? error : new Problem(0);
  } finally {
    clearTimeout(timer);
    clearTimeout(slow);
    if (waits) dispatchEvent(new Event("request-done"));
  }
}

export const get = (path, options) => call("GET", path, options);

export function wait(milliseconds) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
  });
}

// Sends until it is answered or refused, always with the same key. `onWait(problem, tries)` before each new try;
// `tries` Infinity never gives up. Throws the refusal, or the last problem.
export async function insist(method, path, { body, key = newKey(), timeout = 6000, tries = Infinity, onWait } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(method, path, { body, key, timeout });
    } catch (problem) {
      if (!problem.again || attempt >= tries) throw problem;
      onWait?.(problem, attempt);
      await wait(Math.max(problem.retryAfter * 1000, Math.min(400 * 2 ** (attempt - 1), 5000)));
    }
  }
}

// Says once who this page is, and again when the roster has them after all.
export async function whoAmI(say) {
  for (;;) {
    const me = await insist("GET", "/v1/me").catch(() => null); // a refusal shows on the line's state
    if (!me) return;
    say(me);
    if (me.in_roster !== false) return;
    await wait(UNKNOWN_AGAIN_MS);
  }
}
