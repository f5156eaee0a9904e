/*
 * Passerelle's chat widget: <script src="/static/widget.js" defer data-title="Clinique"></script>
 *
 * One custom element, <passerelle-chat>, in its own shadow tree. It speaks the visitor API (design.md, 5) and nothing else.
 *   - Nothing is requested or stored before the visitor opens the panel. A conversation that is open already is followed on the next page
 *     of the site too, and after a reload: what the team answers then shows on the button that opens the panel.
 *   - Works under `default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'`: the styles are a constructable
 *     style sheet, every text goes through textContent.
 *   - What a visitor typed is never lost: an unsent message keeps its client_id and can be sent again, also after a reload.
 *
 * Attributes of the script tag, all optional:
 *   data-title    name of the site, shown above the assistant's title
 *   data-api      root of the visitor API, default "/api"
 *   data-live     "poll": ask now and then instead of following the conversation by its event stream
 *   data-urgence  emergency numbers of the permanent footer, default "15, 112, 144, 911 ou 194"
 * Any element of the page with the attribute `data-passerelle-open` opens the panel; the widget removes its `hidden` attribute.
 */
(() => {
  'use strict';

  const options = document.currentScript?.dataset ?? {};
  const API = (options.api || '/api').replace(/\/$/, '');
  const STORE = 'passerelle';
  const MAX_LENGTH = 2000;
  const COUNT_FROM = 1800;
  const REQUEST_TIMEOUT = 45_000;
  const POLL_EVERY = { bot: 25_000, queue: 15_000, human: 5000 };
  /** Of the event stream, in milliseconds: until its first byte; between two (three heartbeats of the server's); what is no more than an attempt. */
  const STREAM = { opens: 20_000, silent: 45_000, short: 5000 };
  const HIDDEN_LONG = 60_000;
  const PHONE = '(max-width: 640px)';
  const BLANKED = new Set(['', '(effacé)']);

  /** Everything a visitor reads or hears that does not come from the server. */
  const T = {
    launcher: 'Poser une question',
    title: 'Assistant automatique (IA)',
    owner: {
      bot: 'Je ne suis pas un professionnel de santé',
      queue: 'Votre demande attend une personne de l’équipe',
      human: 'Une personne de l’équipe participe à ce tchat',
    },
    close: 'Fermer',
    erase: 'Effacer',
    eraseLabel: 'Effacer la conversation',
    eraseAsk: 'Effacer toute la conversation ? Une demande de rendez-vous faite ici sera effacée aussi : l’équipe ne pourra plus y répondre.',
    eraseYes: 'Oui, effacer',
    eraseNo: 'Non, garder',
    erased: 'La conversation est effacée, dans ce navigateur et sur notre serveur.',
    eraseFailed: 'La conversation n’a pas pu être effacée. Réessayez dans un instant.',
    fresh: 'Commencer une nouvelle conversation',
    log: 'Messages de la conversation',
    says: { bot: 'L’assistant dit : ', visitor: 'Vous dites : ', human: 'L’équipe de la clinique dit : ', system: 'Information : ' },
    sender: { bot: 'Assistant (IA)', human: 'Équipe de la clinique' },
    choices: 'Réponses proposées',
    source: 'Source : ',
    sources: (n) => `${n} sources`,
    typing: 'L’assistant écrit…',
    sending: 'Envoi…',
    connecting: 'Connexion…',
    slow: 'La réponse tarde un peu. Votre message est gardé.',
    label: 'Votre message',
    hint: 'Entrée pour envoyer, Maj + Entrée pour aller à la ligne, F6 pour passer des messages à la saisie.',
    send: 'Envoyer',
    count: (n) => `${n.toLocaleString('fr-FR')} / ${MAX_LENGTH.toLocaleString('fr-FR')} caractères`,
    near: (n) => `Encore ${n} caractères possibles.`,
    cut: 'Le texte collé est trop long : la fin a été coupée. Vous pouvez l’envoyer en plusieurs messages.',
    unsent: 'Le message n’est pas parti. Vérifiez votre connexion, puis réessayez.',
    unsentServer: 'Le message n’est pas parti : le service ne répond pas.',
    retry: 'Réessayer',
    edit: 'Modifier',
    offline: 'L’assistant ne répond pas pour le moment.',
    expired: 'Cette conversation n’est plus disponible : elle a expiré ou a été effacée.',
    kept: 'Le texte que vous aviez écrit est toujours dans la zone de saisie.',
    unread: 'Nouveau message',
    disclaimer: 'Ne remplace pas l’avis d’un médecin. ',
    urgent: 'Urgence\u00a0: ',
    call: (n) => `Appeler le ${n}`,
    sms: (n) => `Envoyer un SMS au ${n}`,
  };

  /** Emergency and help lines (guard.md, 3.6); a number that only takes text messages has its own scheme. */
  const SHORT_NUMBERS = '3114|3919|103|107|112|114|117|119|143|144|145|147|192|193|194|811|911|988|15|17|18';
  const TEXT_ONLY = new Set(['114']);
  const GAP = '[ \\u00a0\\u202f]';
  const NUMBERS = new RegExp(
    `1${GAP}866${GAP}APPELLE` +
      `|(?<![\\d+])\\+?\\d{1,4}(?:${GAP}\\d{2,4})+(?!\\d)` +
      `|(?<![\\d+])(?:${SHORT_NUMBERS})(?![\\d%]|${GAP}*(?:ans?|mois|jours?|semaines?|min(?:ute)?s?|h|heures?|fois|euros|€)(?![a-zé]))`,
    'g',
  );

  /** First word of the lines of data/answers/language.yml → their language; a test holds the two together. */
  const LANGUAGE_OF = {
    I: 'en', Ich: 'de', Solo: 'es', Capisco: 'it', Compreendo: 'pt', Ik: 'nl', Razumem: 'sr-Latn', Разумем: 'sr-Cyrl', Я: 'ru', أفهم: 'ar', Înțeleg: 'ro', Yalnızca: 'tr',
  };

  const CSS = `
:host { all: initial; --bg: #f3f6f4; --card: #fff; --text: #1b2927; --soft: #50625e; --line: #d3deda; --brand: #0d5654; --brand-hover: #0a4442;
  --on-brand: #fff; --tint: #e2efeb; --red: #b3261e; --red-bg: #fff4f2; --red-text: #5f1410; --shadow: 0 18px 50px rgb(12 40 38 / .24);
  display: block; color-scheme: light; line-height: 1.5; color: var(--text);
  font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif; font-size: medium; }
@media (prefers-color-scheme: dark) { :host { color-scheme: dark; --bg: #101817; --card: #1b2625; --text: #e8efed; --soft: #a9bab6; --line: #354542; --brand: #8fd3c8; --brand-hover: #b2e4db; --on-brand: #06302d; --tint: #1f3a37; --red: #ff8f84; --red-bg: #2d1715; --red-text: #ffe3df;
  --shadow: 0 18px 50px rgb(0 0 0 / .6); } }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea { font: inherit; color: inherit; }
button { cursor: pointer; border: 1px solid transparent; background: none; min-height: 2.75em; min-width: 2.75em; border-radius: .75em; }
:focus { outline: none; }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
svg { width: 1.35em; height: 1.35em; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; flex: none; display: block; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
#outside { position: fixed; bottom: 0; }

#launcher { position: fixed; z-index: 2147483000; right: max(1.25em, env(safe-area-inset-right)); bottom: calc(1.25em + env(safe-area-inset-bottom));
  display: flex; align-items: center; gap: .6em; min-height: 3.5em; padding: .5em 1.4em .5em 1.15em; border-radius: 2em; background: var(--brand);
  color: var(--on-brand); font-weight: 600; box-shadow: 0 6px 22px rgb(12 40 38 / .28); }
#launcher:hover { background: var(--brand-hover); }
#launcher .dot { width: .8em; height: .8em; border-radius: 50%; background: #ffb4a8; border: 2px solid var(--brand); }

#panel { position: fixed; z-index: 2147483001; inset: auto 1.25em 1.25em auto; width: min(26em, calc(100vw - 2.5em)); height: min(44em, calc(100dvh - 2.5em));
  max-width: none; max-height: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 1.25em; background: var(--bg); color: var(--text);
  box-shadow: var(--shadow); overflow: hidden; flex-direction: column; }
#panel[open] { display: flex; }
#panel::backdrop { background: rgb(8 24 22 / .35); }
.head { display: flex; align-items: center; gap: .25em; padding: .7em .5em .7em 1.1em; background: var(--card); border-bottom: 1px solid var(--line); }
.head > div { flex: 1; min-width: 0; }
h2 { margin: 0; font-size: 1.06em; line-height: 1.3; font-weight: 650; overflow-wrap: anywhere; }
.head p { margin: .1em 0 0; font-size: .84em; line-height: 1.35; color: var(--soft); }
.head .site { font-size: .78em; margin: 0 0 .1em; color: var(--brand); font-weight: 600; }
.head button { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: .1em; min-width: 3.25em; min-height: 3.25em; padding: .25em 0;
  color: var(--soft); }
.head button span { font-size: .75em; line-height: 1.2; }
.head button:hover { background: var(--tint); color: var(--text); }
.head button:focus-visible { outline-offset: -3px; }

#confirm { padding: .9em 1.1em 1em; background: var(--card); border-bottom: 1px solid var(--line); font-size: .94em; }
#confirm p { margin: 0 0 .75em; }
.row { display: flex; flex-wrap: wrap; gap: .5em; }
.main, .plain { padding: .4em 1em; font-weight: 600; border-color: var(--brand); border-radius: 1.4em; }
.main { background: var(--brand); color: var(--on-brand); }
.main:hover { background: var(--brand-hover); }
.plain { background: var(--card); color: var(--brand); }
.plain:hover { background: var(--tint); }
.danger { background: var(--red); border-color: var(--red); color: var(--bg); }
.danger:hover { background: var(--red-text); }

#scroll { flex: 1 1 auto; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 1.1em 1em .6em; }
#log { min-height: 1em; border-radius: .5em; }
#log:focus-visible { outline-offset: 6px; outline-width: 2px; }
ul { list-style: none; margin: 0; padding: 0; }
.message { display: flex; flex-direction: column; align-items: flex-start; margin: 0 0 .8em; border-radius: 1.1em; scroll-margin: 1em; }
.message[data-from="visitor"] { align-items: flex-end; margin-top: 1.1em; }
.sender { font-size: .8em; font-weight: 600; color: var(--soft); margin: .1em 0 .3em .25em; }
.message[data-from="human"] .sender { color: var(--brand); }
.bubble { max-width: 92%; padding: .75em 1em; border-radius: 1.1em 1.1em 1.1em .3em; background: var(--card); border: 1px solid var(--line); overflow-wrap: anywhere; }
.bubble p { margin: 0; white-space: pre-line; }
.bubble p + p { margin-top: .7em; }
[data-from="visitor"] .bubble { background: var(--brand); color: var(--on-brand); border-color: transparent; border-radius: 1.1em 1.1em .3em 1.1em; max-width: 85%; }
[data-from="human"] .bubble { background: var(--tint); border-color: var(--brand); }
[data-from="system"] { align-items: center; }
[data-from="system"] .bubble { background: none; border-style: dashed; border-color: var(--soft); border-radius: .9em; color: var(--text); font-size: .94em; max-width: 100%; }
.bubble p.disclaimer { font-size: .875em; line-height: 1.45; color: var(--soft); }
.bubble p + p.disclaimer { margin-top: .75em; padding-top: .6em; border-top: 1px solid var(--line); }
[data-kind="emergency"] .bubble { max-width: 100%; width: 100%; background: var(--red-bg); color: var(--red-text); border: 2px solid var(--red); border-radius: 1.1em; font-size: 1.06em;
  padding: .95em 1.05em; }
[data-kind="emergency"] .bubble > svg { color: var(--red); width: 1.7em; height: 1.7em; margin-bottom: .35em; }
[data-kind="emergency"] .bubble p.disclaimer { color: var(--red-text); border-color: var(--red); font-size: .86em; }
.lead, .part { display: block; }
.lead { font-weight: 700; font-size: 1.08em; line-height: 1.35; margin-bottom: .3em; }
.part { padding: .3em 0; }
.sep + .part { border-top: 1px solid color-mix(in srgb, var(--red) 30%, transparent); }
.sep { display: none; }
a { color: inherit; font-weight: 650; text-decoration-thickness: 1.5px; text-underline-offset: .18em; white-space: nowrap; }
a.tel { padding: .65em .3em; margin: 0 -.3em; border-radius: .4em; }
[data-kind="emergency"] a.tel { display: inline-flex; align-items: center; justify-content: center; min-width: 2.75em; min-height: 2.75em; padding: .1em .75em; margin: .16em 0;
  border-radius: 1.4em; background: var(--red); color: var(--red-bg); font-weight: 700; font-size: 1em; text-decoration: none; border: 1px solid transparent; }
@media (hover: hover) { [data-kind="emergency"] a.tel:hover { text-decoration: underline; } }
[data-kind="emergency"] p.disclaimer a.tel { min-height: 0; min-width: 0; }
.source { max-width: 92%; font-size: .83em; line-height: 1.45; color: var(--soft); margin: .4em 0 0 .3em; }
.source p, .source ul { margin: 0; }
.source summary { cursor: pointer; min-height: 2.2em; padding: .45em 0; border-radius: .4em; width: fit-content; }
.source li { padding: .15em 0 .15em .9em; border-left: 2px solid var(--line); }
.buttons { display: flex; flex-wrap: wrap; gap: .5em; margin: .65em 0 .1em; }
.buttons button { padding: .45em 1.05em; border-radius: 1.4em; border-color: var(--brand); background: var(--card); color: var(--brand); font-weight: 600; text-align: left; line-height: 1.3; }
.buttons button:hover:enabled { background: var(--tint); }
.buttons button:disabled { cursor: default; border-color: transparent; background: none; color: var(--soft); font-weight: 400; font-size: .86em; min-height: 0; min-width: 0; padding: .1em .35em; }
.buttons .chosen::before { content: "✓ "; }
.buttons.past { gap: 0 .5em; margin-top: .3em; }
.note { display: flex; flex-direction: column; gap: .6em; align-items: flex-start; margin-top: .5em; padding: .7em .9em; border: 1px solid var(--red); border-left-width: 4px; border-radius: .75em;
  background: var(--red-bg); color: var(--red-text); font-size: .92em; text-align: left; }
.note p { margin: 0; }
.note.calm { border-color: var(--brand); background: var(--card); color: var(--text); }
[data-state="unsent"] .bubble { background: var(--card); color: var(--text); border: 1px dashed var(--red); }

#status { min-height: 1.6em; font-size: .875em; color: var(--soft); padding: 0 .3em; display: flex; align-items: center; gap: .6em; }
#status.busy::before { content: ""; width: 1.9em; height: .42em; flex: none; background: radial-gradient(circle, currentColor 62%, transparent 66%) 0 / .63em .42em; }
#unread { position: absolute; left: 50%; transform: translateX(-50%); bottom: 100%; margin-bottom: .6em; box-shadow: 0 4px 14px rgb(12 40 38 / .25); z-index: 1; white-space: nowrap; }

form { position: relative; padding: .55em .9em .2em; background: var(--card); border-top: 1px solid var(--line); margin: 0; }
.over { display: flex; justify-content: space-between; gap: 1em; font-size: .83em; color: var(--soft); padding: 0 .2em .25em; }
label { font-weight: 600; }
#count.full { color: var(--red); font-weight: 600; }
.field { display: flex; align-items: flex-end; gap: .5em; }
#input { flex: 1; min-width: 0; min-height: 3em; max-height: 8.5em; field-sizing: content; resize: none; padding: .68em .9em; line-height: 1.45; border: 1px solid #788b86; border-radius: 1.1em; background: var(--bg); color: var(--text);
  font-size: max(1em, 16px); overflow-wrap: anywhere; }
#input:focus-visible { outline-offset: 0; outline-width: 2px; border-color: var(--brand); }
#send { display: flex; align-items: center; justify-content: center; min-width: 3em; min-height: 3em; border-radius: 50%; background: var(--brand); color: var(--on-brand); padding: 0; }
#send:hover:enabled { background: var(--brand-hover); }
#send:disabled { background: var(--bg); color: var(--soft); border-color: var(--line); cursor: default; }
.foot { margin: 0; padding: .35em 1.1em calc(.55em + env(safe-area-inset-bottom)); background: var(--card); font-size: .8em; line-height: 1.45; color: var(--soft); text-align: center; }
.foot .calls { display: inline-flex; align-items: center; }
.foot a.tel { display: inline-flex; align-items: center; justify-content: center; min-width: 3.45em; min-height: 3.45em; margin: -.65em 0; color: var(--text); }

@media ${PHONE} {
  #panel { inset: 0; width: 100%; height: 100dvh; border: 0; border-radius: 0; box-shadow: none; }
  .head { padding-top: calc(.55em + env(safe-area-inset-top)); }
  .bubble { max-width: 94%; }
}
/* Very low windows (400 % zoom, a phone on its side): the whole panel scrolls, so that nothing is squeezed out of reach. */
@media (max-height: 430px) {
  #panel { overflow-y: auto; display: none; }
  #panel[open] { display: block; }
  #scroll { overflow: visible; min-height: 45vh; }
  #unread { position: static; transform: none; }
}
@media (prefers-reduced-motion: no-preference) {
  #scroll { scroll-behavior: smooth; }
  #panel[open] { animation: rise .2s ease-out; }
  .message.new { animation: appear .22s ease-out; }
  #status.busy::before { animation: breathe 1.3s ease-in-out infinite; }
  @keyframes rise { from { opacity: 0; transform: translateY(14px); } }
  @keyframes appear { from { opacity: 0; transform: translateY(6px); } }
  @keyframes breathe { 50% { opacity: .3; } }
}
@media (forced-colors: active) {
  #launcher, #send, .main, .danger, [data-from="visitor"] .bubble, [data-kind="emergency"] a.tel { border: 1px solid ButtonBorder; }
  [data-kind="emergency"] .bubble { border: 4px double CanvasText; }
  #status.busy::before { display: none; }
  :focus-visible { outline-color: Highlight; }
}`;

  const ICONS = {
    chat: 'M4 5.5h16v11H10.5L6 20v-3.5H4z M8 9.5h8 M8 12.7h5',
    close: 'M6 6l12 12 M18 6L6 18',
    bin: 'M4.5 7h15 M9.5 7V4.5h5V7 M6.5 7l.9 12.5h9.2L17.5 7 M10.3 10.8v5.4 M13.7 10.8v5.4',
    send: 'M12 19V5.5 M6 11.3l6-6 6 6',
    alert: 'M12 3.8l9 15.9H3z M12 10v4.3 M12 17.1v.1',
  };

  /** Builds an element: attributes by name, `on…` handlers as listeners, strings as text nodes. */
  function h(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (value == null || value === false) continue;
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS(svg.namespaceURI, 'path');
    path.setAttribute('d', ICONS[name]);
    svg.append(path);
    return svg;
  }

  /** A version 4 UUID, also where crypto.randomUUID is missing (plain http on a local network). */
  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  /** A text as it can be compared with the server's copy, which has no control characters and no halves of signs. */
  const plain = (text) => (text.toWellFormed?.() ?? text)
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '').replace(/[\u00a0\u202f]/g, ' ').replace(/[’ʼ]/g, "'");

  /** The text as nodes, its phone numbers as `tel:` or `sms:` links. */
  function withPhoneLinks(text) {
    const nodes = [];
    let last = 0;
    for (const match of text.matchAll(NUMBERS)) {
      const shown = match[0];
      const dial = shown.replace(/APPELLE$/, '2773553').replace(/[^\d+]/g, '');
      const long = dial.length > 4;
      if (long && dial.length < 6) continue; // « 31 000 » is an amount
      const texting = TEXT_ONLY.has(dial);
      nodes.push(text.slice(last, match.index));
      nodes.push(h('a', { class: 'tel', href: (texting ? 'sms:' : 'tel:') + dial, 'aria-label': (texting ? T.sms : T.call)(shown) }, shown));
      last = match.index + shown.length;
    }
    nodes.push(text.slice(last));
    return nodes.filter((node) => node !== '');
  }

  /** An emergency paragraph: « lead : France 15 · Suisse 144 » becomes a lead and one line a country. The text stays whole. */
  function emergencyParts(text) {
    const [, lead, rest] = text.match(/^([^\d:]{8,70}\s?:)(\s.*·.*)$/s) ?? [null, null, text];
    const nodes = lead ? [h('span', { class: 'lead' }, lead)] : [];
    const parts = rest.split(/(\s·\s)/);
    if (parts.length === 1) return [...nodes, ...withPhoneLinks(rest)];
    for (const part of parts) nodes.push(/^\s·\s$/.test(part) ? h('span', { class: 'sep' }, part) : h('span', { class: 'part' }, ...withPhoneLinks(part)));
    return nodes;
  }

  function paragraphs({ text = '', from, kind }) {
    return text.trim().split(/\n{2,}/).map((part) => {
      const flat = plain(part).toLowerCase();
      const emergency = from === 'bot' && kind === 'emergency';
      const numbers = emergency || (from !== 'visitor' && /urgence|danger/.test(flat) && /\b(112|3114)\b/.test(flat));
      const lang = kind === 'language' ? LANGUAGE_OF[part.split(' ', 1)[0]] : null;
      return h(
        'p',
        { class: flat.includes("ne remplace pas l'avis d'un médecin") ? 'disclaimer' : null, lang, dir: lang === 'ar' ? 'rtl' : null },
        ...(emergency ? emergencyParts(part) : numbers || lang ? withPhoneLinks(part) : [part]),
      );
    });
  }

  function sourceLine(sources) {
    const lines = [...new Set((sources ?? []).map(({ article, section }) => [article, section].filter(Boolean).join(', ')))];
    if (!lines.length) return null;
    if (lines.length === 1) return h('div', { class: 'source' }, h('p', {}, T.source + lines[0]));
    const list = h('ul', { role: 'list' }, ...lines.map((line) => h('li', {}, line)));
    return h('details', { class: 'source' }, h('summary', {}, T.sources(lines.length)), list);
  }

  /** The messages that one event of the stream carries: one, or none (a heartbeat). */
  function messagesOf(event) {
    const data = event.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
    try { return data.map((line) => JSON.parse(line)); } catch { throw new ApiError(0); } // cut on the way: it comes again
  }

  /** A failed request; `status` 0 means that no answer came. */
  class ApiError extends Error {
    constructor(status, detail, retryAfter) {
      super(detail || `status ${status}`);
      Object.assign(this, { status, detail, retryAfter });
    }
    get gone() { return this.status === 401 || this.status === 404; }
    /** Sending the same thing again may help. */
    get passing() { return [0, 409, 429].includes(this.status) || this.status >= 500; }
  }

  async function api(method, path, { token, body } = {}) {
    const headers = { Accept: 'application/json' };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers['Content-Type'] = 'application/json';
    let response, data;
    try {
      response = await fetch(API + path, {
        method, headers, body: body && JSON.stringify(body), credentials: 'omit', cache: 'no-store',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT),
      });
      data = response.status === 204 ? {} : await response.json().catch((error) => { if (response.ok) throw error; });
    } catch {
      throw new ApiError(0);
    }
    if (!response.ok) throw new ApiError(response.status, data?.detail, Math.min(Number(response.headers.get('Retry-After')) || 0, 300));
    return data;
  }

  /** What survives a reload of the tab: conversation, draft, messages not yet accepted by the server. */
  const store = {
    read() {
      try { return JSON.parse(sessionStorage.getItem(STORE)) ?? {}; } catch { return {}; }
    },
    write(value) {
      try {
        if (value.id || value.draft || value.unsent?.length) sessionStorage.setItem(STORE, JSON.stringify(value));
        else sessionStorage.removeItem(STORE);
      } catch { /* storage refused: the conversation lives as long as the page */ }
    },
  };

  class PasserelleChat extends HTMLElement {
    #conversation = null; // { id, token }
    #owner = 'bot';
    #unsent = []; // { client_id, text | button, label, after, node }
    #queue = []; // those of #unsent written while another was under way, or before the conversation had opened
    #lastSeq = 0; // the highest that is shown
    #caughtUp = 0; // up to here nothing is missing: replies to a message may come before what was said meanwhile
    #seen = 0; // as far as the panel has shown
    #waiting = false;
    #started = false;
    #stream = null; // AbortController of the live connection
    #saving = 0;

    connectedCallback() {
      if (this.shadowRoot) return;
      this.lang = 'fr';
      const root = this.attachShadow({ mode: 'open' });
      this.keyboardSheet = new CSSStyleSheet();
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet, this.keyboardSheet];
      this.#build(root);
      this.#listen();
      this.#watch();
    }

    disconnectedCallback() { this.#stopStream(); }

    /* ---- structure ---- */

    #build(root) {
      const $ = this;
      $.launcher = h('button', { id: 'launcher', type: 'button', 'aria-haspopup': 'dialog', onclick: () => $.open() }, icon('chat'), h('span', {}, T.launcher));

      $.ownerLine = h('p', { id: 'owner' }, T.owner.bot);
      $.eraseButton = h('button', { id: 'erase', type: 'button', 'aria-label': T.eraseLabel, title: T.eraseLabel, 'aria-expanded': 'false', 'aria-controls': 'confirm', onclick: () => $.#askErase($.confirm.hidden) }, icon('bin'), h('span', {}, T.erase));
      $.closeButton = h('button', { id: 'close', type: 'button', 'aria-label': `${T.close} le tchat`, onclick: () => $.close() }, icon('close'), h('span', {}, T.close));
      const site = options.title ? h('p', { class: 'site' }, options.title) : null;
      const head = h('div', { class: 'head' }, h('div', {}, site, h('h2', { id: 'title' }, T.title), $.ownerLine), $.eraseButton, $.closeButton);

      $.confirmYes = h('button', { type: 'button', class: 'main danger', 'aria-describedby': 'ask', onclick: () => $.#erase() }, T.eraseYes);
      $.confirm = h('div', { id: 'confirm', role: 'group', 'aria-labelledby': 'ask', hidden: true },
        h('p', { id: 'ask' }, T.eraseAsk),
        h('div', { class: 'row' }, $.confirmYes, h('button', { type: 'button', class: 'plain', onclick: () => $.#askErase(false) }, T.eraseNo)));

      $.list = h('ul', { role: 'list' });
      $.log = h('div', { id: 'log', role: 'log', 'aria-live': 'polite', 'aria-label': T.log, tabindex: '0' }, $.list);
      $.status = h('div', { id: 'status', role: 'status' });
      $.scroller = h('div', { id: 'scroll' }, $.log, $.status);

      $.unreadButton = h('button', { id: 'unread', type: 'button', class: 'plain', hidden: true, onclick: () => $.#showNewest() }, `${T.unread} ↓`);
      $.count = h('span', { id: 'count', hidden: true });
      $.input = h('textarea', {
        id: 'input', rows: '1', maxlength: String(MAX_LENGTH), 'aria-describedby': 'hint count', enterkeyhint: 'send', autocomplete: 'off',
        oninput: () => $.#typed(), onkeydown: (event) => $.#inputKey(event), onpaste: (event) => $.#pasted(event),
      });
      $.sendButton = h('button', { id: 'send', type: 'submit', 'aria-label': T.send, title: T.send }, icon('send'));
      $.live = h('div', { class: 'sr', role: 'status' });
      const form = h('form', { onsubmit: (event) => { event.preventDefault(); $.#submit(); } },
        $.unreadButton,
        h('div', { class: 'over' }, h('label', { for: 'input' }, T.label), $.count),
        h('div', { class: 'field' }, $.input, $.sendButton),
        h('span', { class: 'sr', id: 'hint' }, T.hint), $.live);
      const foot = h('p', { class: 'foot' }, T.disclaimer,
        h('span', { class: 'calls' }, T.urgent, ...withPhoneLinks(options.urgence || '15, 112, 144, 911 ou 194').map((node) => (node.href ? node : h('span', { class: 'sep' }, node)))));

      $.panel = h('dialog', { id: 'panel', 'aria-labelledby': 'title', 'aria-describedby': 'owner' }, head, $.confirm, $.scroller, form, foot);
      $.outside = h('div', { id: 'outside', class: 'sr', role: 'status' }); // heard while the panel is closed
      root.append($.launcher, $.panel, $.outside);
      $.#typed();
    }

    #listen() {
      this.panel.addEventListener('keydown', (event) => {
        if (event.key === 'Escape' && !event.isComposing) {
          event.preventDefault();
          event.stopPropagation();
          if (this.confirm.hidden) this.close();
          else this.#askErase(false);
        } else if (event.key === 'F6') {
          event.preventDefault();
          if (this.shadowRoot.activeElement === this.input) (this.#newest() ?? this.log).focus();
          else this.input.focus();
        }
      });
      this.panel.addEventListener('cancel', (event) => { event.preventDefault(); this.close(); }); // the back gesture
      this.scroller.addEventListener('scroll', () => { if (this.#atEnd()) this.unreadButton.hidden = true; }, { passive: true });
      // Full screen is modal, the corner panel is not: change over when the window crosses the limit.
      matchMedia(PHONE).addEventListener('change', () => {
        if (!this.panel.open) return;
        const focused = this.shadowRoot.activeElement;
        this.panel.close();
        this.#show();
        focused?.focus();
      });
      // A phone's keyboard covers the page without resizing it: follow what is really visible.
      const view = window.visualViewport;
      view?.addEventListener('resize', () => {
        if (view.scale > 1.01) return; // zoomed in with two fingers
        const covered = innerHeight - view.height > 80;
        this.keyboardSheet.replaceSync(covered ? `@media ${PHONE} { #panel { height: ${view.height}px; top: ${view.offsetTop}px; } .foot { display: none; } }` : '');
      });
      // A connection for each tab that nobody looks at would be one too many: browsers allow a site only six.
      let leaving;
      document.addEventListener('visibilitychange', () => {
        clearTimeout(leaving);
        if (document.hidden) leaving = setTimeout(() => this.#stopStream(), HIDDEN_LONG);
        else this.#follow();
      });
      window.addEventListener('online', () => { this.#stopStream(); this.#follow(); });
      window.addEventListener('pagehide', () => this.#stopStream());
      for (const opener of document.querySelectorAll('[data-passerelle-open]')) {
        opener.hidden = false;
        opener.addEventListener('click', (event) => { event.preventDefault(); this.open(opener); });
      }
    }

    /* ---- opening and closing ---- */

    /** Opens the panel; `from` is the element that gets the focus back. */
    open(from = this.launcher) {
      if (this.panel.open) return;
      this.opener = from;
      this.#show();
      this.launcher.hidden = true;
      this.#badge(false);
      this.input.focus();
      if (this.#started) { this.#look(); this.#follow(); return; }
      this.#started = true;
      const saved = store.read();
      if (saved.draft && !this.input.value) { this.input.value = saved.draft; this.#typed(); }
      if (!saved.id) { this.#begin(); return; }
      this.#conversation = { id: saved.id, token: saved.token };
      this.#unsent = saved.unsent ?? [];
      this.#resume();
    }

    close() {
      if (!this.panel.open) return;
      this.#askErase(false);
      this.panel.close();
      this.launcher.hidden = false;
      (this.opener?.isConnected ? this.opener : this.launcher).focus();
    }

    #show() {
      if (matchMedia(PHONE).matches) this.panel.showModal();
      else this.panel.show();
    }

    /* ---- conversation ---- */

    /** A first conversation, or a new one after the old is gone; the log starts empty. */
    async #begin() {
      this.#busy(T.connecting);
      try {
        await this.#create();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.#notice(error.detail || T.offline, { label: T.retry, act: () => this.#begin() });
      } finally {
        this.#idle();
      }
    }

    async #create() {
      const { id, token, messages } = await api('POST', '/conversations');
      this.#conversation = { id, token };
      this.#lastSeq = this.#caughtUp = this.#seen = 0;
      this.list.replaceChildren();
      this.#setOwner('bot');
      this.#save();
      this.#receive(messages ?? []);
      this.list.append(...this.#unsent.map((entry) => entry.node));
      this.#follow();
    }

    /** After a reload: the thread as the server has it, then what had not reached it. */
    async #resume() {
      const { id } = this.#conversation;
      this.#busy(T.connecting);
      try {
        const { owner, messages } = await api('GET', `/conversations/${id}/messages?after=0`, this.#conversation);
        this.#stopStream(); // what it brought meanwhile is cleared away, and comes again
        this.list.replaceChildren();
        this.#lastSeq = this.#caughtUp = 0;
        this.#setOwner(owner);
        this.#receive(messages ?? [], { history: true });
        const queued = new Set(this.#queue);
        this.list.append(...this.#queue.map((entry) => entry.node));
        for (const entry of this.#unsent.filter((other) => !queued.has(other))) {
          this.#unsent.splice(this.#unsent.indexOf(entry), 1);
          const arrived = messages.some((m) => m.from === 'visitor' && m.seq > entry.after && plain(m.text) === plain(entry.label));
          if (!arrived) this.#fail(this.#place(entry), new ApiError(0));
        }
        this.#save();
        this.#follow();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.gone) this.#expire();
        else this.#notice(error.detail || T.offline, { label: T.retry, act: () => this.#resume() });
      } finally {
        this.#idle();
      }
    }

    /** The server no longer knows this conversation: say so, keep the typed text, offer another one. */
    #expire() {
      this.#stopStream();
      this.#conversation = null;
      this.#setOwner('bot');
      this.#queue = [];
      this.#unsent.splice(0).reverse().forEach((entry) => this.#giveBack(entry));
      this.#save();
      this.#refreshButtons();
      this.#notice(this.input.value ? `${T.expired} ${T.kept}` : T.expired, { label: T.fresh, act: () => { this.#begin(); this.input.focus(); } });
    }

    #askErase(show) {
      const had = this.confirm.contains(this.shadowRoot.activeElement);
      this.confirm.hidden = !show;
      this.eraseButton.setAttribute('aria-expanded', String(show));
      if (show) this.confirmYes.focus();
      else if (had) this.eraseButton.focus();
    }

    async #erase() {
      this.#askErase(false);
      for (const entry of this.#queue.splice(0)) this.#sent(entry);
      while (this.#waiting) await wait(50); // a message under way belongs to what is erased
      this.#stopStream();
      this.#busy();
      try {
        if (this.#conversation) await api('DELETE', `/conversations/${this.#conversation.id}`, this.#conversation);
      } catch (error) {
        if (!error.gone) {
          this.#notice(error.detail || T.eraseFailed, { label: T.retry, act: () => this.#erase() });
          this.#follow();
          return;
        }
      } finally {
        this.#idle();
      }
      this.#stopStream();
      this.#conversation = null;
      this.#unsent = [];
      this.#lastSeq = this.#caughtUp = this.#seen = 0;
      this.#setOwner('bot');
      this.input.value = '';
      this.list.replaceChildren();
      this.#typed();
      store.write({});
      this.#notice(T.erased, { label: T.fresh, calm: true, act: () => { this.#begin(); this.input.focus(); } });
    }

    #setOwner(owner) {
      if (!T.owner[owner] || owner === this.#owner) return;
      this.#owner = owner;
      this.ownerLine.textContent = T.owner[owner];
      this.#refreshButtons();
    }

    /** Somebody came or left: ask who answers now. */
    async #askOwner() {
      const { id } = this.#conversation;
      const data = await api('GET', `/conversations/${id}/messages?after=${this.#lastSeq}`, this.#conversation).catch(() => ({}));
      if (id === this.#conversation?.id) this.#setOwner(data.owner);
    }

    /* ---- sending ---- */

    #submit() {
      const text = this.input.value.trim();
      if (!text) return;
      this.input.value = '';
      this.#typed();
      this.#send({ text, label: text });
    }

    #send(content) {
      const entry = this.#place({ client_id: uuid(), after: this.#lastSeq, ...content });
      if (this.#waiting) this.#queue.push(entry); // one message at a time, in the order in which they were written
      else this.#deliver(entry);
    }

    /** Shows a message of the visitor and keeps it until the server has it. */
    #place(entry) {
      entry.node = this.#append({ from: 'visitor', text: entry.label });
      this.#unsent.push(entry);
      this.#save();
      this.#refreshButtons();
      return entry;
    }

    async #deliver(entry) {
      if (this.#waiting) return;
      this.#settleFocus();
      entry.node.querySelector('.note')?.remove();
      delete entry.node.dataset.state;
      this.list.append(entry.node); // a retried message comes last, as it does on the server
      this.#busy(this.#owner === 'bot' ? T.typing : T.sending);
      this.#scrollTo(entry.node);
      try {
        if (!this.#conversation) {
          await this.#create();
          entry.after = this.#lastSeq;
        }
        const { client_id, text, button } = entry;
        const body = button ? { client_id, button } : { client_id, text };
        const { messages } = await api('POST', `/conversations/${this.#conversation.id}/messages`, { ...this.#conversation, body });
        this.#sent(entry);
        this.#receive(messages ?? [], { reply: true, whole: false });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.gone && this.#conversation) this.#expire();
        else if (!this.#isAnswered(entry)) this.#fail(entry, error);
      } finally {
        this.#idle();
        this.#refreshButtons();
      }
    }

    #sent(entry) {
      this.#unsent = this.#unsent.filter((other) => other !== entry);
      entry.node.querySelector('.note')?.remove();
      delete entry.node.dataset.state;
      this.#save();
    }

    #fail(entry, error) {
      const { node } = entry;
      node.dataset.state = 'unsent';
      const words = error.detail || (error.status ? T.unsentServer : T.unsent);
      const row = h('div', { class: 'row' });
      if (error.passing) {
        const retry = h('button', { type: 'button', class: 'main retry', onclick: () => this.#deliver(entry) }, T.retry);
        row.append(retry);
        this.#holdBack(retry, error.retryAfter);
      }
      if (entry.text) row.append(h('button', { type: 'button', class: 'plain edit', onclick: () => { this.#giveBack(entry); this.#sent(entry); this.input.focus(); } }, T.edit));
      node.querySelector('.note')?.remove();
      node.append(h('div', { class: 'note', role: 'alert' }, h('p', {}, words), row));
      this.#scrollTo(node.lastChild);
    }

    /** Keeps a retry button closed while the server asked for patience (Retry-After). */
    async #holdBack(button, left = 0) {
      button.disabled = left > 0;
      for (; left > 0; left -= 1) {
        button.textContent = `${T.retry} (${left} s)`;
        await wait(1000);
      }
      button.textContent = T.retry;
      button.disabled = false;
    }

    /** Puts an unsent text back into the input, before what is there already. */
    #giveBack(entry) {
      if (entry.text) this.input.value = [entry.text, this.input.value].filter(Boolean).join('\n');
      entry.node?.remove();
      this.#typed();
    }

    /** The control just used is about to go: keep the focus in the panel, without raising a phone's keyboard. */
    #settleFocus() {
      const active = this.shadowRoot.activeElement;
      if (active === this.input) return;
      if (matchMedia('(pointer: coarse)').matches) this.log.focus({ preventScroll: true });
      else this.input.focus({ preventScroll: true });
    }

    #busy(words) {
      this.#waiting = true;
      this.status.textContent = words ?? '';
      this.status.classList.toggle('busy', Boolean(words));
      clearTimeout(this.slowTimer);
      if (words === T.typing) this.slowTimer = setTimeout(() => { this.status.textContent = T.slow; }, 12_000);
      this.#typed();
    }

    #idle() {
      this.#waiting = false;
      clearTimeout(this.slowTimer);
      this.status.textContent = '';
      this.status.classList.remove('busy');
      this.#typed();
      const next = this.#queue.shift();
      if (next) this.#deliver(next);
    }

    /* ---- typing ---- */

    #typed() {
      const { length } = this.input.value;
      this.sendButton.disabled = !this.input.value.trim();
      this.count.hidden = length < COUNT_FROM;
      this.count.textContent = length < COUNT_FROM ? '' : T.count(length);
      this.count.classList.toggle('full', length >= MAX_LENGTH);
      const step = length < COUNT_FROM ? '' : length >= MAX_LENGTH ? T.near(0) : T.near(Math.ceil((MAX_LENGTH - length) / 100) * 100);
      if (step !== this.countStep) this.live.textContent = this.countStep = step;
      if (this.#started) {
        clearTimeout(this.#saving);
        this.#saving = setTimeout(() => this.#save(), 300);
      }
    }

    #inputKey(event) {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    }

    #pasted(event) {
      const { value, selectionStart, selectionEnd } = this.input;
      const pasted = event.clipboardData?.getData('text').length ?? 0;
      if (value.length - (selectionEnd - selectionStart) + pasted > MAX_LENGTH) this.#notice(T.cut);
    }

    #save() {
      clearTimeout(this.#saving);
      if (!this.#started) return; // what an earlier page left is still to be read
      const unsent = this.#unsent.map(({ node, ...entry }) => entry);
      store.write({ ...this.#conversation, seen: this.#seen, draft: this.input.value, unsent });
    }

    /* ---- messages ---- */

    /**
     * Shows messages of the server, each once.
     * @param {object[]} messages in the order of `seq`
     * @param {{history?: boolean, reply?: boolean, whole?: boolean}} how history is shown without alerts; a reply always scrolls into view;
     *   not whole: there may be others before these that have not come yet
     */
    #receive(messages, { history = false, reply = false, whole = true } = {}) {
      const atEnd = this.#atEnd();
      let first = null;
      for (const message of messages) {
        if (whole) this.#caughtUp = Math.max(this.#caughtUp, message.seq || 0);
        if (this.list.querySelector(`[data-seq="${Number(message.seq)}"]`)) continue;
        this.#lastSeq = Math.max(this.#lastSeq, message.seq || 0);
        if (message.from === 'visitor' && !history && this.#adopt(message)) continue;
        const node = this.#append(message, history);
        if (message.from !== 'visitor') first ??= node;
      }
      for (const entry of this.#unsent.filter((other) => this.#isAnswered(other))) this.#sent(entry);
      this.#refreshButtons();
      this.#look();
      if (history) { this.#scrollTo(this.#newest()); return; }
      if (!first) return;
      if (messages.some(({ from }) => from === 'system' || from === 'human')) this.#askOwner();
      if (!this.panel.open) this.#badge(true);
      else if (reply || atEnd) this.#scrollTo(first);
      else this.unreadButton.hidden = false;
    }

    /** What the panel shows counts as seen. */
    #look() {
      if (!this.panel.open || this.#seen === this.#caughtUp) return;
      this.#seen = this.#caughtUp;
      this.#save();
    }

    /** Whether a reply came after a message: then it has arrived, whatever became of its own request. */
    #isAnswered({ node }) {
      const seq = Number(node?.dataset.seq ?? NaN);
      return [...this.list.children].some(({ dataset }) => dataset.from === 'bot' && Number(dataset.seq) > seq);
    }

    /** The server's copy of a message shown already: give it its number. Words of a form, and of a button out of date, come back blanked. */
    #adopt(message) {
      const mine = [...this.list.querySelectorAll('[data-from="visitor"]:not([data-seq])')];
      const text = plain(message.text ?? '');
      const same = mine.find((node) => plain(node.dataset.text) === text);
      const node = same ?? (BLANKED.has(text) ? mine.find((other) => !other.dataset.state) : null);
      if (!node) return false;
      node.dataset.seq = message.seq;
      const entry = this.#unsent.find((other) => other.node === node && node.dataset.state);
      if (entry) this.#sent(entry);
      return true;
    }

    #append(message, history = false) {
      const { seq, from = 'bot', text = '', buttons } = message;
      const kind = from === 'visitor' ? from : message.kind;
      const emergency = from === 'bot' && kind === 'emergency';
      const later = seq ? [...this.list.children].find(({ dataset }) => Number(dataset.seq) > seq) : null;
      const previous = later ? later.previousElementSibling : this.list.lastElementChild;
      const named = T.sender[from] && previous?.dataset.from !== from;
      const bubble = h('div', { class: 'bubble', role: emergency && !history ? 'alert' : null },
        emergency ? icon('alert') : null, h('span', { class: 'sr' }, T.says[from] ?? T.says.system), ...paragraphs({ text, from, kind }));
      const node = h('li', { class: history ? 'message' : 'message new', 'data-from': from, 'data-kind': kind, 'data-seq': seq, 'data-text': from === 'visitor' ? text : null, tabindex: '-1' },
        named ? h('span', { class: 'sender', 'aria-hidden': 'true' }, T.sender[from]) : null, bubble, sourceLine(message.sources));
      if (buttons?.length) {
        node.append(h('div', { class: 'buttons', role: 'group', 'aria-label': T.choices },
          ...buttons.map(({ id, label }) => h('button', { type: 'button', 'data-id': id, onclick: (event) => this.#choose(event.currentTarget, id, label) }, label))));
      }
      this.list.insertBefore(node, later ?? null);
      return node;
    }

    #choose(button, id, label) {
      if (this.#waiting) return;
      button.classList.add('chosen');
      this.#send({ button: id, label });
    }

    /** Only the buttons of the newest turn of the bot can be used: those after the visitor's last word, while the bot answers. */
    #refreshButtons() {
      let live = Boolean(this.#conversation) && this.#owner !== 'human';
      for (const node of [...this.list.children].reverse()) {
        if (node.dataset.from === 'visitor') live = false;
        const group = node.querySelector('.buttons');
        if (!group) continue;
        group.classList.toggle('past', !live);
        for (const button of group.children) button.disabled = !live;
      }
    }

    /** A word of the widget itself, with at most one thing to do. */
    #notice(text, { label, act, calm } = {}) {
      this.list.querySelector('.notice')?.remove();
      const box = h('div', { class: calm ? 'note calm' : 'note', role: 'alert' }, h('p', {}, text));
      const node = h('li', { class: 'message notice', 'data-from': 'system', 'data-kind': 'notice', tabindex: '-1' }, box);
      if (act) box.append(h('button', { type: 'button', class: 'main', onclick: () => { if (this.#waiting) return; this.#settleFocus(); node.remove(); act(); } }, label));
      this.list.append(node);
      this.#scrollTo(node);
    }

    /** The first message of the newest turn that is not the visitor's. */
    #newest() {
      let found = null;
      for (const node of [...this.list.children].reverse()) {
        if (node.dataset.from === 'visitor') { if (found) break; continue; }
        found = node;
      }
      return found;
    }

    #showNewest() {
      this.unreadButton.hidden = true;
      this.log.focus({ preventScroll: true });
      this.#scrollTo(this.#newest());
    }

    #atEnd() {
      const { scrollHeight, scrollTop, clientHeight } = this.scroller;
      return scrollHeight - scrollTop - clientHeight < 80;
    }

    /** Brings the start of a message to the top of the thread, or the end of the thread to the bottom when it is short. */
    #scrollTo(node) {
      if (!node || !this.panel.open) return;
      const box = this.scroller.getBoundingClientRect();
      if (this.scroller.scrollHeight > this.scroller.clientHeight + 1) this.scroller.scrollTo({ top: this.scroller.scrollTop + node.getBoundingClientRect().top - box.top - 14 });
      else if (this.panel.scrollHeight > this.panel.clientHeight + 1) node.scrollIntoView({ block: 'nearest' });
    }

    #badge(show) {
      this.launcher.querySelector('.new')?.remove();
      this.outside.textContent = show ? T.unread : '';
      if (show) this.launcher.append(h('span', { class: 'new' }, h('span', { class: 'sr' }, `(${T.unread})`), h('span', { class: 'dot', 'aria-hidden': 'true' })));
    }

    /* ---- what comes without being asked for: a person of the team, a late answer ---- */

    #stopStream() {
      this.#stream?.abort();
      this.#stream = null;
    }

    /** On the next page of the site, or after a reload, while the panel is still closed. */
    #watch() {
      const { id, token, seen } = store.read();
      if (!id || !(seen > 0)) return;
      this.#conversation = { id, token };
      this.#lastSeq = this.#caughtUp = this.#seen = seen;
      if (!document.hidden) this.#follow();
    }

    /** Follows the conversation while there is one: by the event stream, or by asking now and then where a proxy lets none through. */
    async #follow() {
      if (this.#stream || !this.#conversation) return;
      const { signal } = (this.#stream = new AbortController());
      const pause = (ms) => wait(Math.min(ms, 60_000) * (0.85 + Math.random() * 0.3));
      let failures = 0;
      let asks = options.live === 'poll' ? Infinity : 0; // how often to ask before the stream is tried again
      let patience = 2;
      while (!signal.aborted) {
        try {
          if (asks) {
            await pause(POLL_EVERY[this.#owner] * 2 ** failures);
            if (signal.aborted) return;
            await this.#ask(signal);
            asks -= 1;
          } else {
            await this.#readEvents(signal);
          }
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof ApiError)) throw error;
          if (error.gone) { this.#lose(); return; }
          failures += 1;
          if (!asks && (failures === 3 || error.status === 429 || !error.passing)) {
            patience = Math.min(patience * 2, 32);
            asks = patience;
            failures = 0;
          }
        }
        if (!asks) await pause(1000 * 2 ** failures);
      }
    }

    /** The conversation is gone: said at once in an open panel, and otherwise when it is opened. */
    #lose() {
      if (this.#started) { this.#expire(); return; }
      this.#stopStream();
      this.#conversation = null;
    }

    /** Asks once what is new. */
    async #ask(signal) {
      const { owner, messages } = await api('GET', `/conversations/${this.#conversation.id}/messages?after=${this.#caughtUp}`, this.#conversation);
      if (signal.aborted) return;
      this.#setOwner(owner);
      if (!this.#waiting) this.#receive(messages ?? []);
    }

    /** Reads the event stream until it ends. Throws an ApiError when there is none, or when it ended before it was of any use. */
    async #readEvents(signal) {
      const { id, token } = this.#conversation;
      const headers = { Accept: 'text/event-stream', Authorization: `Bearer ${token}`, 'Last-Event-ID': String(this.#caughtUp) };
      const connection = new AbortController();
      const end = () => connection.abort();
      const began = performance.now();
      const lost = () => { throw new ApiError(0); };
      let silence = setTimeout(end, STREAM.opens);
      signal.addEventListener('abort', end);
      try {
        const response = await fetch(`${API}/conversations/${id}/events`, { headers, signal: connection.signal, credentials: 'omit', cache: 'no-store' }).catch(lost);
        // A page of some proxy, or a server without the stream; one that does not know the conversation answers 401.
        const strange = response.status === 404 || (response.ok && !response.headers.get('Content-Type')?.startsWith('text/event-stream'));
        if (strange || !response.ok) throw new ApiError(strange ? 406 : response.status);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let buffer = '';
        for (;;) {
          const { done, value } = await reader.read().catch(lost);
          if (done || signal.aborted) break;
          clearTimeout(silence);
          silence = setTimeout(end, STREAM.silent);
          const events = (buffer + value).split('\n\n');
          buffer = events.pop();
          this.#receive(events.flatMap(messagesOf), { reply: this.#waiting });
        }
      } finally {
        clearTimeout(silence);
        signal.removeEventListener('abort', end);
        end();
      }
      if (performance.now() - began < STREAM.short) throw new ApiError(0);
    }
  }

  if (customElements.get('passerelle-chat')) return;
  customElements.define('passerelle-chat', PasserelleChat);
  if (!document.querySelector('passerelle-chat')) document.body.append(document.createElement('passerelle-chat'));
})();
