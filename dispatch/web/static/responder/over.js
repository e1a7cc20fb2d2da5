// How it is told that a case is over, where the same home may need the same person for another one.

import { isStoodDown } from "../lib/alarm.js";
import { w } from "../lib/words.js";

// Whether another of the `open` cases of the home wants this person, as the fan-out asks the log (fanout/need.py): a drill
// keeps nobody from reading that what was in earnest is over. `mine(case)` is what the case has of this person.
export const isNeeded = (view, open, mine) => open.some((one) =>
  one.id !== view.id && one.household.id === view.household.id && mine(one) && !(one.drill && !view.drill)
  && (one.duress || !isStoodDown(mine(one))));

// Whether one of the `closed` was a drill at the home of `view`, which is none: else it looks like that drill going on.
export const followsDrill = (view, closed) =>
  !view.drill && closed.some((one) => one.drill && one.household.id === view.household.id);

// That nobody needs to come is not said where a case under duress may go on there for which this person was not called.
export function overWords({ status, closing, beside }, cases) {
  if (beside && !cases.has(beside)) return w.overResolved;
  return status === "resolved" && closing.resolution === "helped" ? w.thanksHelped : w.standDown;
}
