// What is heard and what is written: switches for the sound and the subtitles
// of a video, where there is more than one of them to choose from.

const $ = (id) => document.getElementById(id);

// fill puts tracks into a switch, each by its name, and shows it when there is
// a choice. now is the number of the one that plays, -1 when none does.
function fill(box, select, tracks, now, none) {
  const entries = tracks.map((track, i) => [i, track.name || track.lang || `${i + 1}`]);
  if (none) entries.unshift([-1, none]);
  select.replaceChildren(...entries.map(([value, name]) => {
    const option = document.createElement('option');
    option.value = String(value);
    option.textContent = name;
    return option;
  }));
  select.value = String(now);
  box.hidden = entries.length < 2;
}

// attend keeps the switches of a player as it is. What it knows changes: each
// size may have sounds of its own.
export function attend(Hls, hls) {
  const sound = $('sound');
  const text = $('text');
  const sounds = () => fill($('sounds'), sound, hls.audioTracks, hls.audioTrack, '');
  const texts = () => fill($('texts'), text, hls.subtitleTracks, hls.subtitleTrack, 'Off');
  for (const event of [Hls.Events.AUDIO_TRACKS_UPDATED, Hls.Events.AUDIO_TRACK_SWITCHED]) hls.on(event, sounds);
  for (const event of [Hls.Events.SUBTITLE_TRACKS_UPDATED, Hls.Events.SUBTITLE_TRACK_SWITCH]) hls.on(event, texts);
  sound.onchange = () => { hls.audioTrack = Number(sound.value); };
  text.onchange = () => {
    hls.subtitleDisplay = text.value !== '-1';
    hls.subtitleTrack = Number(text.value);
  };
}

// leave empties the switches.
export function leave() {
  for (const [box, select] of [['sounds', 'sound'], ['texts', 'text']]) {
    $(box).hidden = true;
    $(select).replaceChildren();
    $(select).onchange = null;
  }
}
