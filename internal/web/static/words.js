// What the page says: numbers, dates and errors as a person reads them.

export function clock(seconds) {
  if (!(seconds > 0)) return '';
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  if (whole >= 3600) parts.unshift(Math.floor(whole / 3600));
  return parts.map((n, i) => (i === 0 ? String(n) : String(n).padStart(2, '0'))).join(':');
}

export function rate(bitsPerSecond) {
  if (!(bitsPerSecond > 0)) return '–';
  if (bitsPerSecond < 1e6) return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond < 1e8 ? 1 : 0)} Mbit/s`;
}

export function day(stamp) {
  const date = new Date(stamp);
  if (!stamp || Number.isNaN(date.getTime())) return '';
  return date.toLocaleDateString(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
}

// label names a level by its short side, as Spool does: "720p".
export function label(level) {
  const side = Math.min(level.width || 0, level.height || 0);
  if (side) return `${side}p`;
  return level.bitrate ? rate(level.bitrate) : 'Sound';
}

// trouble turns an hls.js error into a title, a sentence and, where there is
// one, a command to type.
export function trouble(Hls, data, video, keysAt) {
  const D = Hls.ErrorDetails;
  const code = data.response && data.response.code;
  const verify = `spool verify ${video.id}`;
  if (data.details === D.KEY_LOAD_ERROR || data.details === D.KEY_LOAD_TIMEOUT) {
    return {
      title: code === 404 ? 'The key was not found' : 'The key could not be loaded',
      text: `This video is encrypted, and its key is needed to play it. Keys are looked for in ${keysAt}.`,
    };
  }
  if (data.type === Hls.ErrorTypes.NETWORK_ERROR && !code) {
    return { title: 'No answer', text: 'The preview server does not answer any more. Start it again, then reload this page.', command: 'spool preview' };
  }
  if (data.details === D.MANIFEST_LOAD_ERROR && code === 404) {
    return { title: 'Not in the folder', text: 'There is no master playlist for this video. It is not published, or its files were taken away.', command: `spool show ${video.id}` };
  }
  if (data.type === Hls.ErrorTypes.NETWORK_ERROR) {
    const file = data.url ? decodeURIComponent(new URL(data.url, location.href).pathname.replace(/^\/media\//, '')) : 'a file';
    return { title: code === 404 ? 'A file is missing' : `The server answered ${code}`, text: `${file} could not be read.`, command: verify };
  }
  const why = video.encrypted ? 'the key does not fit, or the file is damaged' : 'the file is damaged, or this browser lacks the codec';
  return { title: 'This cannot be decoded', text: `What arrived is not media that this browser can play: ${why} (${data.details}).`, command: verify };
}
