// The page: which of its two views is shown, and the keyboard.
import * as player from './player.js';
import { showFailure, showShelf } from './shelf.js';

const $ = (id) => document.getElementById(id);
const screen = $('screen');

async function ask(query) {
  const response = await fetch(`/api/videos?${new URLSearchParams(query)}`, { cache: 'no-store' });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.reason);
  return answer;
}

function place(path) {
  $('place').textContent = path;
  $('place').title = path;
}

async function shelf() {
  player.close();
  document.title = 'Spool preview';
  $('theatre').hidden = true;
  $('shelf').hidden = false;
  const query = $('search').value.trim();
  try {
    const answer = await ask({ q: query });
    place(answer.place);
    showShelf(answer, query);
  } catch (error) {
    showFailure(error instanceof TypeError ? 'The preview server does not answer. Start it again: spool preview' : error.message);
  }
}

async function theatre(id) {
  $('shelf').hidden = true;
  $('theatre').hidden = false;
  const answer = await ask({ id }).catch(() => ({ videos: [], keysAt: '', place: '' }));
  if (route() !== id) return; // the person has moved on
  if (answer.place) place(answer.place);
  await player.open(answer.videos[0] || { id }, answer.keysAt);
  $('title').focus({ preventScroll: true }); // a screen reader says where one is
}

function route() {
  const match = /^#\/v\/([^/]+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : '';
  } catch {
    return '';
  }
}

function go() {
  const id = route();
  window.scrollTo(0, 0);
  return id ? theatre(id) : shelf();
}

const keys = {
  ' ': () => (screen.paused ? screen.play().catch(() => {}) : screen.pause()),
  k: () => keys[' '](),
  ArrowLeft: () => { screen.currentTime = Math.max(0, screen.currentTime - 5); },
  ArrowRight: () => { screen.currentTime = Math.min(screen.duration || 0, screen.currentTime + 5); },
  '[': () => player.step(-1),
  ']': () => player.step(1),
  a: () => player.auto(),
  m: () => { screen.muted = !screen.muted; },
  f: () => (document.fullscreenElement ? document.exitFullscreen() : $('stage').requestFullscreen()),
  Escape: () => { location.hash = '#/'; },
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $('search')) return event.key === 'Escape' ? $('search').blur() : undefined;
  if (event.key === '/') {
    event.preventDefault();
    if (route()) location.hash = '#/';
    return $('search').focus();
  }
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  // Buttons, links and the switches keep what a browser does with keys; a list
  // also finds by letters.
  if (event.target.closest('select') && event.key !== 'Escape') return;
  const own = event.target.closest('a, button, input') && event.key !== 'Escape' && event.key.length > 1;
  const press = event.target.closest('a, button, input') && event.key === ' ';
  if (!action || !route() || own || press) return;
  event.preventDefault();
  return action();
}

$('copy').addEventListener('click', async () => {
  $('address').select();
  await navigator.clipboard.writeText($('address').value).catch(() => document.execCommand('copy'));
  $('copy').textContent = 'Copied';
  setTimeout(() => { $('copy').textContent = 'Copy'; }, 1500);
});

let typing = 0;
$('search').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => (route() ? (location.hash = '#/') : shelf()), 150);
});
window.addEventListener('hashchange', go);
window.addEventListener('focus', () => { if (!route()) shelf(); }); // something may have become ready
document.addEventListener('keydown', pressed);
go();
