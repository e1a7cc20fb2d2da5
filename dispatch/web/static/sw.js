// Service worker of the pages: shows a call as a notification, sends the answer given there, keeps the page's shell.
// Its scope is one person's page, so it knows whom it serves.

const SHELL = "dispatch-shell-1";
const KEPT = ["/static/"];
const TRIES = 5;

const words = {
  call: "有人求助，请应答 Somebody needs help",
  open: "点这里查看 Tap to open",
  going: "前往 Going",
  cannot: "无法前往 Cannot",
  sending: "正在送出应答… Sending your answer…",
  recorded: { going: "已记录：前往 Recorded: going", cannot: "已记录：无法前往 Recorded: cannot" },
  failed: "应答没有送出！点这里重试，或打电话。NOT recorded: tap to try again, or phone.",
  over: "这起警情已结束。如另有呼叫，以那次呼叫为准。This case is over. If you have another call, that one still stands.",
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const mine = request.mode === "navigate" && self.registration.scope === url.origin + url.pathname;
  if (mine || KEPT.some((prefix) => url.pathname.startsWith(prefix))) event.respondWith(fresh(request));
});
self.addEventListener("push", (event) => event.waitUntil(pushed(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(event.action in words.recorded
    ? answer(event.notification.data, event.action) : open(event.notification.data));
});
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(resubscribe(event)));

async function tidy() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name)));
  await self.clients.claim();
}

// The server's copy when it answers, the kept one when it does not: never an old page beside a new one.
async function fresh(request) {
  const shell = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await shell.put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await shell.match(request);
    if (kept) return kept;
    throw error;
  }
}

function read(data) {
  try {
    return data.json();
  } catch {
    return {}; // a push that cannot be read is still a call: show it
  }
}

// Only the path: an answer goes to the server that this worker came from, whatever a message says.
function linkOf(ring) {
  if (!ring?.link) return null;
  const { pathname } = new URL(ring.link, location.origin);
  return pathname.startsWith("/r/") ? pathname : null;
}

async function pushed(data) {
  const ring = read(data);
  const link = linkOf(ring);
  const calls = (ring.word ?? "called") === "called"; // else it takes an earlier ring back, without a sound
  await self.registration.showNotification(ring.title ?? words.call, {
    body: ring.body ?? words.open,
    tag: ring.notification ?? "call",
    renotify: calls,
    silent: !calls,
    requireInteraction: calls,
    vibrate: calls ? [600, 150, 600, 150, 600] : undefined,
    icon: "/static/icons/icon-192.png",
    badge: "/static/icons/badge-96.png",
    timestamp: Date.parse(ring.raised_at) || undefined,
    actions: link ? [{ action: "going", title: words.going }, { action: "cannot", title: words.cannot }] : [],
    data: { link, case: ring.case, notification: ring.notification },
  });
  if (link) await post(`${link}/receipt`, { channel: "webpush", outcome: "delivered" }).catch(() => {});
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// Tries again while the server is away. Throws an Error whose `status` is the refusal's, or 0.
async function post(path, body, headers = {}) {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  let status = 0;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (attempt) await pause(300 * 2 ** attempt);
    const answered = await fetch(path, {
      method: "POST", body: JSON.stringify(body), credentials: "same-origin",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key, ...headers },
    }).catch(() => null);
    if (answered?.ok) return;
    status = answered?.status ?? 0;
    if (status >= 400 && status < 500 && status !== 429) break;
  }
  throw Object.assign(new Error(`${path}: ${status}`), { status });
}

async function answer(data, given) {
  const say = (text, urgent) => self.registration.showNotification(text, {
    tag: data.notification ?? "call", data, renotify: urgent, requireInteraction: urgent, silent: !urgent,
    icon: "/static/icons/icon-192.png", badge: "/static/icons/badge-96.png",
  });
  await say(words.sending, false);
  try {
    await post(data.link, { answer: given });
    await say(words.recorded[given], false);
  } catch (error) {
    await say(error.status === 409 ? words.over : words.failed, error.status !== 409);
  }
}

// The person's page if it is open, else that page, else the link, which needs no sign-in.
async function open(data) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = windows.find((client) => client.url.startsWith(self.registration.scope));
  if (page) return page.focus();
  return self.clients.openWindow(data?.link ?? self.registration.scope);
}

async function resubscribe(event) {
  const options = event.oldSubscription?.options;
  const subscription = event.newSubscription
    ?? await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: options?.applicationServerKey });
  const { endpoint, keys } = subscription.toJSON();
  const person = decodeURIComponent(new URL(self.registration.scope).pathname.split("/")[2]);
  await post("/v1/push-subscriptions", { endpoint, keys }, { "Dispatch-As": `responder:${person}` });
}
