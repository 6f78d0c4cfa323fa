// Package web holds the preview page: a list of what is published and a
// player, as files that are embedded in the binary. The page asks nobody but
// the server that gave it; it has no build step and no dependency but one.
//
// That one is hls.js 1.7.4 (Apache-2.0, https://github.com/video-dev/hls.js):
// static/vendor/hls-1.7.4.min.js is dist/hls.min.js of the npm package
// hls.js@1.7.4, the full build (the light one has no alternate audio), byte for
// byte; its licence lies beside it.
package web

import (
	"embed"
	"io/fs"
)

// HLS is the path of hls.js below Files; it defines the global Hls.
const HLS = "vendor/hls-1.7.4.min.js"

// Policy is the Content-Security-Policy under which the page works: nothing
// from elsewhere, no inline script or style. Media Source object URLs and the
// worker that hls.js makes of its own source are blobs; the track that it shows
// subtitles on begins as an empty one, data:,WEBVTT.
const Policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"media-src 'self' blob: data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed static
var embedded embed.FS

// Files gives the page: index.html and what it links to, by relative path.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the embedded folder is named above
	}
	return files
}
