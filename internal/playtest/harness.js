// Plays one package to its end and tells what happened. Runs in the browser.
'use strict';

const sourceBuffers = [];
const shown = new Set();
let first = -1; // where playing began
const addSourceBuffer = MediaSource.prototype.addSourceBuffer;
MediaSource.prototype.addSourceBuffer = function add(type) {
  const buffer = addSourceBuffer.call(this, type);
  sourceBuffers.push({ type, buffer });
  return buffer;
};

function ranges(buffered) {
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
}

function tell(screen, hls, errors) {
  const quality = screen.getVideoPlaybackQuality();
  const tracks = sourceBuffers.map(({ type, buffer }) => {
    try {
      return { type, buffered: ranges(buffer.buffered) };
    } catch {
      return { type, buffered: [] }; // it was removed
    }
  });
  return {
    ended: screen.ended,
    position: screen.currentTime,
    duration: screen.duration || 0,
    buffered: ranges(screen.buffered),
    tracks,
    width: screen.videoWidth,
    height: screen.videoHeight,
    frames: quality.totalVideoFrames,
    dropped: quality.droppedVideoFrames,
    levels: (hls ? hls.levels : []).map((level) => ({ width: level.width || 0, height: level.height || 0, bitrate: level.bitrate })),
    first,
    shown: [...shown].sort((a, b) => a - b),
    errors,
  };
}

window.play = ({ url, native, level, alternate, seekTo, listed, rate, limit }) => new Promise((resolve) => {
  const screen = document.getElementById('screen');
  const errors = [];
  const hls = native ? null : new Hls({ autoStartLoad: false, preferManagedMediaSource: false, maxBufferLength: 120 });
  const finish = () => resolve(tell(screen, hls, errors));
  const clock = setTimeout(() => { errors.push('playtest: not at the end in time'); finish(); }, limit);
  const end = () => { clearTimeout(clock); finish(); };

  const screened = () => {
    screen.addEventListener('error', () => { errors.push(`video: ${screen.error.code} ${screen.error.message}`); end(); });
    screen.addEventListener('ended', end);
    screen.addEventListener('playing', () => { first = screen.currentTime; }, { once: true });
    screen.addEventListener('playing', () => { screen.playbackRate = rate; });
    if (seekTo > 0) {
      screen.addEventListener('playing', () => { screen.currentTime = seekTo; }, { once: true });
    }
    screen.muted = true;
  };
  const start = () => screen.play().catch((error) => errors.push(`play: ${error.message}`));

  screened();
  if (native) { // the browser's own HLS
    screen.src = url;
    start();
    return;
  }
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.details === Hls.ErrorDetails.INTERNAL_ABORTED) return; // it changes size, and wants this no more
    const answer = data.response ? ` ${data.response.code}` : '';
    errors.push(`hls.js: ${data.type}/${data.details}${answer}${data.fatal ? ' fatal' : ''}${data.error ? ` (${data.error.message})` : ''}`);
    if (data.fatal) end();
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    if (level >= 0) {
      hls.startLevel = level;
      hls.loadLevel = level;
    }
    hls.startLoad(listed ? -1 : 0);
    start();
  });
  hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
    if (frag.type !== 'main') return;
    shown.add(frag.level);
    if (alternate) hls.loadLevel = (frag.level + 1) % hls.levels.length;
  });
  hls.loadSource(url);
  hls.attachMedia(screen);
});

// Shows I-frames at some times, as a page does that previews a seek: in an
// element of their own, by hls.js's own player of I-frame playlists.
window.look = ({ url, times, limit }) => new Promise((resolve) => {
  const screen = document.getElementById('screen');
  const errors = [];
  const seen = [];
  const hls = new Hls({ autoStartLoad: false, preferManagedMediaSource: false });
  let looker = null;
  const end = () => {
    clearTimeout(clock);
    resolve({ seen, errors, lists: (hls.iframeVariants || []).length, width: screen.videoWidth, height: screen.videoHeight });
  };
  const clock = setTimeout(() => { errors.push('playtest: not all I-frames were shown in time'); end(); }, limit);
  const complain = (_, data) => {
    errors.push(`hls.js: ${data.type}/${data.details}${data.fatal ? ' fatal' : ''}${data.error ? ` (${data.error.message})` : ''}`);
    if (data.fatal) end();
  };
  const next = () => {
    if (seen.length === times.length) { end(); return; }
    const at = times[seen.length];
    const shown = () => {
      const { buffered } = screen;
      for (let i = 0; i < buffered.length; i++) {
        if (!screen.seeking && screen.readyState >= 2 && buffered.start(i) <= at && at < buffered.end(i) && Math.abs(screen.currentTime - at) < 3) {
          screen.removeEventListener('seeked', shown);
          screen.removeEventListener('loadeddata', shown);
          screen.removeEventListener('timeupdate', shown);
          looker.off(Hls.Events.FRAG_BUFFERED, shown);
          seen.push([buffered.start(i), buffered.end(i)]);
          next();
          return;
        }
      }
    };
    screen.addEventListener('seeked', shown);
    screen.addEventListener('loadeddata', shown);
    screen.addEventListener('timeupdate', shown);
    looker.on(Hls.Events.FRAG_BUFFERED, shown);
    looker.loadMediaAt(at);
    shown();
  };
  hls.on(Hls.Events.ERROR, complain);
  hls.on(Hls.Events.MANIFEST_PARSED, async () => {
    await null; // hls.js itself hears of the manifest after us
    looker = hls.createIFramePlayer();
    if (!looker) { errors.push('hls.js finds no I-frame playlist'); end(); return; }
    looker.on(Hls.Events.ERROR, complain);
    looker.on(Hls.Events.MEDIA_ATTACHED, next);
    looker.attachMedia(screen);
  });
  hls.loadSource(url);
});
