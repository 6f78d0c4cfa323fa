// Parses every playlist named on the command line strictly, and prints what
// was found in each as one line of JSON.
import { readFileSync } from "node:fs";
import { parse, setOptions } from "hls-parser";

setOptions({ strictMode: true });
let bad = 0;
for (const path of process.argv.slice(2)) {
  try {
    const p = parse(readFileSync(path, "utf8"));
    const found = p.isMasterPlaylist
      ? { variants: p.variants.length, audio: p.variants.flatMap((v) => v.audio).length }
      : {
          segments: p.segments.length,
          keys: new Set(p.segments.filter((s) => s.key).map((s) => Buffer.from(s.key.iv).toString("hex"))).size,
          maps: p.segments.filter((s) => s.map).length,
          ended: p.endlist,
          type: p.playlistType,
          start: p.start?.offset,
        };
    console.log(JSON.stringify({ path, ...found }));
  } catch (e) {
    bad++;
    console.error(`${path}: ${e.message}`);
  }
}
process.exit(bad === 0 ? 0 : 1);
