// The list of published videos. Titles come from strangers: text only.
import { clock, day } from './words.js';

const $ = (id) => document.getElementById(id);

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// link is the address of a video's page within this one.
export const link = (id) => `#/v/${encodeURIComponent(id)}`;

function still(video, frame) {
  const picture = make('img');
  picture.alt = '';
  picture.loading = 'lazy';
  picture.addEventListener('error', () => { picture.remove(); frame.classList.add('bare'); });
  picture.src = `/media/${encodeURIComponent(video.id)}/poster.jpg`;
  return picture;
}

function poster(video) {
  const frame = make('div', 'poster');
  if (video.poster) frame.append(still(video, frame));
  else frame.classList.add('bare');
  if (video.seconds > 0) frame.append(make('span', 'badge length', clock(video.seconds)));
  if (video.encrypted) frame.append(make('span', 'badge lock', 'encrypted'));
  return frame;
}

function card(video) {
  const item = make('li');
  const anchor = make('a', video.missing ? 'card missing' : 'card');
  anchor.href = link(video.id);
  const title = make('h2', '', video.title || video.id);
  title.dir = 'auto';
  const sizes = make('p', 'chips');
  for (const size of video.sizes || []) sizes.append(make('span', 'chip', size));
  if (video.missing) sizes.append(make('span', 'chip bad', 'not in the folder'));
  sizes.append(make('time', '', video.master === 'early.m3u8' ? 'being made' : day(video.published)));
  anchor.append(poster(video), title, sizes);
  item.append(anchor);
  return item;
}

export function showShelf(answer, query) {
  $('cards').replaceChildren(...answer.videos.map(card));
  const shown = answer.videos.length;
  const all = `${answer.total} video${answer.total === 1 ? '' : 's'}`;
  $('count').textContent = shown < answer.total ? `the newest ${shown} of ${all}; search for others` : all;
  $('count').hidden = answer.total === 0;
  $('empty').hidden = shown > 0;
  $('shelf-title').hidden = shown === 0 && !query;
  if (shown > 0) return;
  $('empty-title').textContent = query ? 'Nothing found' : 'Nothing is published here yet';
  $('empty-text').textContent = query
    ? `No title and no ID holds “${query}”.`
    : 'Give Spool a link, a file or a list, and it appears on this page when it is ready:';
  $('empty-command').textContent = answer.command;
  $('empty-command').hidden = Boolean(query);
}

// showFailure is the shelf when the server could not tell what is there.
export function showFailure(reason) {
  $('cards').replaceChildren();
  $('count').hidden = true;
  $('empty').hidden = false;
  $('empty-title').textContent = 'The list could not be read';
  $('empty-text').textContent = reason;
  $('empty-command').hidden = true;
}
