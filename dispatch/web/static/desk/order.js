// Which case an operator must look at first.

const GROUPS = { raised: 0, under_way: 1, on_scene: 2 };
const STEPS_MS = [60_000, 180_000, 300_000];

// How many of the 1, 3 and 5 minutes have passed; "ok" as soon as somebody comes.
export function waitingStep(view, time) {
  if (view.status !== "raised") return "ok";
  const waited = time - Date.parse(view.pressed_at);
  return STEPS_MS.filter((step) => waited >= step).length;
}

// Duress before all else; real before drill; what is in `unseen`, a set of ids, before what was looked at; then who waits
// in vain, who is waited for, and where somebody is; of each the one that has waited longest.
export function byUrgency(views, unseen = new Set()) {
  const rank = (view) => [view.duress ? 0 : 1, view.drill ? 1 : 0, unseen.has(view.id) ? 0 : 1, GROUPS[view.status] ?? 3, view.pressed_at];
  return views
    .map((view) => ({ view, rank: rank(view) }))
    .sort((a, b) => compare(a.rank, b.rank))
    .map(({ view }) => view);
}

function compare(a, b) {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at] < b[at] ? -1 : 1;
}
