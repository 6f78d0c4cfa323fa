// The player: hls.js on a <video>, a switch for the size, and what is going on.
import { clock, day, label, rate, trouble } from './words.js';
import { make } from './shelf.js';
import * as board from './board.js';
import * as tracks from './tracks.js';

const $ = (id) => document.getElementById(id);
const screen = $('screen');

let hls = null;
let turn = 0; // counts what was opened and closed: what was left behind does not go on
let timer = 0;
let order = []; // level numbers of hls.js, smallest first
let wanted = -1; // the level that the person chose; -1 is Auto

// library loads hls.js when the first video is opened, and once.
let loading = null;
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/static/vendor/hls-1.7.4.min.js';
    script.addEventListener('load', () => resolve(window.Hls));
    script.addEventListener('error', () => { loading = null; reject(new Error('hls.js did not load')); });
    document.head.append(script);
  });
  return loading;
}

export function close() {
  turn += 1;
  clearInterval(timer);
  hls?.destroy();
  hls = null;
  screen.removeAttribute('src');
  screen.removeAttribute('poster');
  screen.load();
  board.close();
  tracks.leave();
  order = [];
  wanted = -1;
}

export async function open(video, keysAt) {
  close();
  const mine = turn;
  describe(video);
  board.open(video);
  let Hls;
  try {
    Hls = await library();
  } catch {
    show({ title: 'No answer', text: 'The preview server does not answer any more. Start it again, then reload this page.', command: 'spool preview' });
    return;
  }
  if (mine !== turn) return;
  if (!Hls.isSupported()) {
    show({ title: 'This browser cannot play HLS', text: 'It has no Media Source Extensions. Firefox, Chrome, Edge and Safari on a computer have them.' });
    return;
  }
  // The media lies on this machine, so the first guess at the bandwidth is high.
  hls = new Hls({ capLevelToPlayerSize: false, abrEwmaDefaultEstimate: 50e6 });
  hls.on(Hls.Events.MANIFEST_PARSED, () => switches());
  tracks.attend(Hls, hls);
  hls.on(Hls.Events.LEVEL_SWITCHED, () => read());
  hls.on(Hls.Events.ERROR, (_, data) => failed(Hls, data, video, keysAt));
  hls.loadSource(`/media/${encodeURIComponent(video.id)}/${video.master}`);
  hls.attachMedia(screen);
  timer = setInterval(read, 500);
  // A browser that wants a click first refuses; the controls are there.
  screen.play().catch(() => {});
}

function failed(Hls, data, video, keysAt) {
  // The key server is this machine: what it does not find now, it will not find later.
  const noKey = data.details === Hls.ErrorDetails.KEY_LOAD_ERROR && data.response?.code === 404;
  if (!data.fatal && !noKey) return;
  const words = trouble(Hls, data, video, keysAt);
  hls?.destroy();
  hls = null;
  clearInterval(timer);
  show(words);
}

function describe(video) {
  $('trouble').hidden = true;
  $('title').textContent = video.title || video.id;
  document.title = `${video.title || video.id} · Spool preview`;
  $('facts').replaceChildren();
  const early = video.master === 'early.m3u8';
  const facts = [video.id, early ? 'being made' : clock(video.seconds), early ? '' : day(video.published), video.encrypted ? 'encrypted (AES-128)' : 'not encrypted'];
  for (const fact of facts.filter(Boolean)) $('facts').append(make('span', '', fact));
  if (video.poster) screen.poster = `/media/${encodeURIComponent(video.id)}/poster.jpg`;
  $('address').value = new URL(`/media/${encodeURIComponent(video.id)}/${video.master}`, location.href).href;
  $('sizes').replaceChildren(make('legend', 'hidden', 'Size'));
  for (const id of ['showing', 'stream', 'bandwidth', 'buffer', 'dropped']) $(id).textContent = '–';
  $('buffer-meter').value = 0;
}

function show(words) {
  $('trouble-title').textContent = words.title;
  $('trouble-text').textContent = words.text;
  $('trouble-command').textContent = words.command || '';
  $('trouble-command').hidden = !words.command;
  $('trouble').hidden = false;
}

function choice(value, text, tip) {
  const box = make('label');
  box.title = tip;
  const radio = make('input');
  radio.type = 'radio';
  radio.name = 'size';
  radio.value = String(value);
  radio.checked = value === -1;
  radio.addEventListener('change', () => choose(value));
  box.append(radio, make('span', '', text));
  return box;
}

function switches() {
  const levels = hls.levels.map((level, i) => [level, i]).sort((a, b) => a[0].bitrate - b[0].bitrate);
  order = levels.map(([, i]) => i);
  if (levels.length < 2) return; // there is nothing to choose
  $('sizes').append(choice(-1, 'Auto', 'Let the player choose by bandwidth'));
  for (const [level, i] of levels) {
    $('sizes').append(choice(i, label(level), `${level.width}×${level.height}, up to ${rate(level.bitrate)}`));
  }
}

function choose(value) {
  if (!hls) return;
  wanted = value;
  hls.nextLevel = value; // from the next segment on, without emptying what is on the screen
  read();
}

// step goes to the next smaller (-1) or larger (+1) size; auto goes to Auto.
export function step(by) {
  if (!hls || !order.length) return;
  const now = wanted === -1 ? hls.currentLevel : wanted;
  const place = Math.min(Math.max(order.indexOf(now) + by, 0), order.length - 1);
  pick(order[place]);
}

export function auto() { pick(-1); }

function pick(value) {
  const radio = document.querySelector(`#sizes input[value="${value}"]`);
  if (!radio) return;
  radio.checked = true;
  choose(value);
}

function ahead() {
  const at = screen.currentTime;
  for (let i = 0; i < screen.buffered.length; i++) {
    if (screen.buffered.start(i) <= at + 0.1 && at <= screen.buffered.end(i)) return screen.buffered.end(i) - at;
  }
  return 0;
}

function read() {
  if (!hls) return;
  const level = hls.levels[hls.currentLevel];
  $('showing').textContent = screen.videoWidth ? `${screen.videoWidth}×${screen.videoHeight}` : '–';
  $('stream').textContent = level ? `${label(level)}, ${rate(level.bitrate)}` : '–';
  $('bandwidth').textContent = rate(hls.bandwidthEstimate);
  const seconds = ahead();
  $('buffer').textContent = `${seconds.toFixed(1)} s`;
  $('buffer-meter').value = Math.min(seconds, 30);
  const quality = screen.getVideoPlaybackQuality();
  $('dropped').textContent = `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}`;
  const playing = wanted === -1 && level ? `Auto · ${label(level)}` : 'Auto';
  const text = document.querySelector('#sizes input[value="-1"] + span');
  if (text) text.textContent = playing;
}
