// Sign in with the code in the link's fragment, or one typed in.

import { call } from "../lib/api.js";
import { html, page, T } from "../lib/ui.js";
import { w } from "../lib/words.js";

// A page that this device is not signed in for sends it here.
const sentHere = new URLSearchParams(location.search).has("next");
const state = { busy: false, words: null };
const draw = page(() => html`<${Page} />`);

async function signIn(token) {
  state.busy = true;
  state.words = null;
  draw();
  try {
    const { page: next } = await call("POST", "/v1/session", { body: { token } });
    location.replace(new URL(next, location.origin).pathname);
  } catch (problem) {
    state.busy = false;
    state.words = problem.status === 401 ? w.badCode : problem.words;
    draw();
  }
}

// The code leaves the address bar and the history before anything else happens.
function takeFragment() {
  const token = decodeURIComponent(location.hash.slice(1));
  if (!token) return false;
  history.replaceState(null, "", "/");
  signIn(token);
  return true;
}

function submitted(event) {
  event.preventDefault();
  const token = new FormData(event.target).get("token").trim();
  const pasted = token.slice(token.lastIndexOf("#") + 1);
  if (pasted) signIn(pasted);
  else { state.words = w.noCode; draw(); }
}

const Page = () => html`
  <main>
    <h1><${T} of=${w.appName} /></h1>
    ${state.busy ? html`<p role="status"><${T} of=${w.signingIn} /></p>` : html`
      ${sentHere && html`<p class="banner bad" role="alert"><${T} of=${w.notSignedIn} /></p>`}
      <p class="dim"><${T} of=${w.signInHint} /></p>
      <form onSubmit=${submitted}>
        <label class="field"><span><${T} of=${w.signInCode} /></span>
          <input type="password" name="token" autocomplete="off" autocapitalize="off" spellcheck="false" /></label>
        ${state.words && html`<p class="problem" role="alert"><${T} of=${state.words} /></p>`}
        <button class="button main"><${T} of=${w.signInTitle} /></button>
      </form>
      <a class="button danger" href="tel:110"><${T} of=${w.callPolice} /></a>`}
  </main>`;

addEventListener("hashchange", takeFragment);
if (!takeFragment()) draw();
