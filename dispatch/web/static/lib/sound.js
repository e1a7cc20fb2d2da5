// Ringing. A browser lets a page sound only after somebody has touched it: `unlock` in a gesture.

let context = null;
let ringing = null;
let told = () => {};

export const canSound = () => context?.state === "running";

// `changed()` whenever the page may sound, or may not any more.
export const onSound = (changed) => { told = changed; };

export async function unlock() {
  if (!context) {
    context = new AudioContext();
    context.onstatechange = () => told(); // a telephone call, for one, takes the sound away
  }
  await context.resume().catch(() => {});
  return canSound();
}

function beep(frequency, start, length, volume) {
  const tone = new OscillatorNode(context, { type: "square", frequency });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(volume, start);
  gain.gain.setTargetAtTime(0, start + length - 0.03, 0.01);
  tone.connect(gain).connect(context.destination);
  tone.start(start);
  tone.stop(start + length + 0.1);
}

export function chime() {
  if (!canSound()) return;
  beep(880, context.currentTime, 0.18, 0.25);
  beep(1175, context.currentTime + 0.2, 0.28, 0.25);
}

function vibrate(pattern) {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}

function once() {
  vibrate([600, 150, 600, 150]);
  if (!canSound()) return;
  for (let step = 0; step < 4; step += 1) beep(step % 2 ? 988 : 740, context.currentTime + step * 0.3, 0.28, 0.6);
}

// Rings until `hush`; a second call changes nothing.
export function ring() {
  if (ringing) return;
  once();
  ringing = setInterval(once, 1600);
}

export function hush() {
  if (!ringing) return;
  clearInterval(ringing);
  ringing = null;
  vibrate(0);
}

export const buzz = vibrate;
