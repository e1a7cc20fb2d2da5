// Server time, and the one timer from which every clock on a page ticks.

const SAMPLES = 8;
const offsets = [];
let offset = 0;

// A beat is late by its way here, never early: of the last few the largest offset is the nearest.
export function sync(serverTime) {
  const at = Date.parse(serverTime);
  if (Number.isNaN(at)) return;
  offsets.push(at - Date.now());
  if (offsets.length > SAMPLES) offsets.shift();
  offset = Math.max(...offsets);
}

export const now = () => Date.now() + offset;
export const nowIso = () => new Date(now()).toISOString();

const listeners = new Set();
setInterval(() => listeners.forEach((listener) => listener(now())), 1000);

export function onTick(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const two = (number) => String(number).padStart(2, "0");

// Milliseconds as 4:09 or 1:04:09; nothing below zero.
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const timeOfDay = new Intl.DateTimeFormat("zh-CN", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const fullTime = new Intl.DateTimeFormat("zh-CN", {
  dateStyle: "full", timeStyle: "long", hourCycle: "h23",
});

export const shortLocal = (iso) => timeOfDay.format(new Date(iso));
export const fullLocal = (iso) => fullTime.format(new Date(iso));
