// Web Push for one person. The service worker's scope is that person's page, so that two people
// who share a phone have a subscription each.

import { call } from "./api.js";

export function register() {
  return navigator.serviceWorker?.register("/sw.js", { scope: location.pathname }) ?? Promise.resolve(null);
}

export const canPush = "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function send(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  await call("POST", "/v1/push-subscriptions", { body: { endpoint, keys } });
}

// Sends what the browser already has once more: the server may have lost or retired it. Says whether there is one.
export async function renew(registration) {
  if (!canPush || !registration || Notification.permission !== "granted") return false;
  const subscription = await registration.pushManager.getSubscription();
  if (subscription) await send(subscription);
  return Boolean(subscription);
}

async function active(registration) {
  const worker = registration.installing ?? registration.waiting;
  if (registration.active || !worker) return;
  await new Promise((resolve) => {
    worker.addEventListener("statechange", () => worker.state === "activated" && resolve());
  });
}

// Asks the person, subscribes, and tells the server. Answers "on", "denied", or throws.
export async function turnOn(registration, vapidKey) {
  if (await Notification.requestPermission() !== "granted") return "denied";
  await active(registration);
  const options = { userVisibleOnly: true, applicationServerKey: bytesOf(vapidKey) };
  const subscribe = () => registration.pushManager.subscribe(options);
  // A subscription made for an earlier key of the server stands in the way of a new one.
  const subscription = await subscribe().catch(async (error) => {
    const old = await registration.pushManager.getSubscription();
    if (!old) throw error;
    await old.unsubscribe();
    return subscribe();
  });
  await send(subscription);
  return "on";
}
