// The storyboard: a seek bar under the video that shows what is at a time,
// under the pointer and where the keyboard is.
import { clock } from './words.js';

const $ = (id) => document.getElementById(id);
const screen = $('screen');
const bar = $('seek');

let cues = []; // {start, end, url, x, y, w, h}
let turn = 0; // counts what was opened: an answer that comes late is dropped
let held = false; // the person is moving the bar

const at = (seconds) => clock(seconds) || '0:00';

// parse reads WebVTT whose cues are places in pictures.
export function parse(text, base) {
  const found = [];
  for (const block of text.split(/\r?\n\r?\n/)) {
    const time = /(\d+):(\d\d):(\d\d\.\d+) --> (\d+):(\d\d):(\d\d\.\d+)/.exec(block);
    const place = /^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/m.exec(block);
    if (!time || !place) continue;
    const [h, m, s, h2, m2, s2] = time.slice(1).map(Number);
    const [x, y, w, height] = place.slice(2).map(Number);
    found.push({ start: (h * 60 + m) * 60 + s, end: (h2 * 60 + m2) * 60 + s2, url: new URL(place[1], base).href, x, y, w, h: height });
  }
  return found;
}

export function close() {
  turn += 1;
  cues = [];
  held = false;
  hide();
  $('strip').hidden = true;
}

// open shows the bar when the video has a storyboard.
export async function open(video) {
  close();
  if (!video.storyboard) return;
  const mine = turn;
  const index = new URL(`/media/${encodeURIComponent(video.id)}/${video.storyboard}`, location.href);
  const response = await fetch(index).catch(() => null);
  if (!response?.ok) return; // the player plays without
  const found = parse(await response.text(), index);
  if (mine !== turn || !found.length) return;
  cues = found;
  $('strip').hidden = false;
  follow();
}

function length() {
  return Number.isFinite(screen.duration) ? screen.duration : cues.at(-1)?.end || 0;
}

// follow moves the bar with the video.
function follow() {
  if (!cues.length || held) return;
  bar.max = String(length());
  bar.value = String(screen.currentTime);
  bar.setAttribute('aria-valuetext', `${at(screen.currentTime)} of ${at(length())}`);
  if (bar.matches(':focus-visible') && !$('glance').hidden) show(screen.currentTime);
}

// show puts the picture of a time over the bar.
function show(time) {
  const cue = cues.find((c) => time < c.end) || cues.at(-1);
  if (!cue) return;
  const picture = $('glance-picture');
  picture.style.width = `${cue.w}px`;
  picture.style.height = `${cue.h}px`;
  picture.style.backgroundImage = `url("${cue.url}")`;
  picture.style.backgroundPosition = `${-cue.x}px ${-cue.y}px`;
  $('glance-time').textContent = at(time);
  $('glance').hidden = false;
  const room = $('strip').clientWidth - $('glance').offsetWidth;
  const middle = (time / (length() || 1)) * $('strip').clientWidth - $('glance').offsetWidth / 2;
  $('glance').style.left = `${Math.max(0, Math.min(room, middle))}px`;
}

function hide() { $('glance').hidden = true; }

function seek(time) {
  screen.currentTime = Math.max(0, Math.min(length(), time));
  follow();
}

const steps = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -60, PageUp: 60 };

bar.addEventListener('pointermove', (event) => {
  const box = bar.getBoundingClientRect();
  show(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * length());
});
bar.addEventListener('pointerleave', () => { if (!held) hide(); });
bar.addEventListener('pointerdown', () => { held = true; });
for (const end of ['pointerup', 'pointercancel']) bar.addEventListener(end, () => { held = false; });
bar.addEventListener('input', () => { screen.currentTime = Number(bar.value); show(Number(bar.value)); });
bar.addEventListener('change', () => { held = false; });
bar.addEventListener('focus', () => { if (bar.matches(':focus-visible')) show(screen.currentTime); });
bar.addEventListener('blur', hide);
bar.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) seek(screen.currentTime + steps[event.key]);
  else if (event.key === 'Home') seek(0);
  else if (event.key === 'End') seek(length());
  else return;
  event.preventDefault();
  show(screen.currentTime);
});
for (const change of ['timeupdate', 'durationchange', 'seeking']) screen.addEventListener(change, follow);
