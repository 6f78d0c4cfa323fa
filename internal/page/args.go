package page

// progressMark begins the lines that our progress template makes.
const progressMark = "SPOOL-PROGRESS "

// progressTemplate prints what progressLine reads.
const progressTemplate = "download:" + progressMark +
	`{"file":%(progress.filename)j,"done":%(progress.downloaded_bytes)j,` +
	`"total":%(progress.total_bytes)j,"guess":%(progress.total_bytes_estimate)j}`

// maxEntries bounds the items of a playlist that are asked for.
const maxEntries = "5000"

// option is an argument, or a few, that only some releases know.
type option struct {
	args []string
	// must: a release without it is not used; else it is left out.
	must bool
}

// safety are the options of every run: no configuration, no plug-ins, no
// caches, no programs to run, one video.
func safety() []option {
	return []option{
		{[]string{"--ignore-config"}, true},
		{[]string{"--no-plugin-dirs"}, false}, // since 2025
		{[]string{"--no-cache-dir"}, true},
		{[]string{"--no-exec"}, false}, // not youtube-dl, which without a configuration runs nothing either
		{[]string{"--no-playlist"}, true},
		{[]string{"--socket-timeout", "20"}, true},
		{[]string{"--retries", "3"}, true},
	}
}

// describing asks for what there is at a URL.
func describing() []option {
	return append(safety(),
		option{[]string{"--flat-playlist"}, true},
		option{[]string{"--playlist-items", "1-" + maxEntries}, true},
		option{[]string{"--dump-single-json"}, true},
	)
}

// choosing asks what would be downloaded of one video.
func choosing() []option {
	return append(safety(),
		option{[]string{"--playlist-items", "1"}, true},
		option{[]string{"--dump-json"}, true},
	)
}

// downloading asks for one video, in a file dl.<ext> of the working folder, and
// for a line of JSON about it.
func downloading(known map[string]bool, ffmpeg string) []option {
	describe := []string{"--dump-json", "--no-simulate"}
	if !known["--no-simulate"] { // youtube-dl, and yt-dlp of its first year
		describe = []string{"--print-json"}
	}
	options := append(safety(),
		option{[]string{"--playlist-items", "1"}, true},
		option{[]string{"--max-downloads", "1"}, true},
		option{[]string{"--fragment-retries", "3"}, true},
		// Else a fragment that is not there becomes a hole in the video.
		option{[]string{"--abort-on-unavailable-fragment"}, false},
		option{[]string{"--abort-on-unavailable-fragments"}, false},
		option{[]string{"--downloader", "native"}, false},
		option{[]string{"--hls-prefer-native"}, false},
		option{[]string{"--continue"}, true},
		option{[]string{"--no-mtime"}, false},
		option{[]string{"--newline"}, true},
		option{[]string{"--progress"}, false},
		option{[]string{"--progress-template", progressTemplate}, false},
		option{describe, true},
		option{[]string{"--output", "dl.%(ext)s"}, true},
	)
	if ffmpeg != "" {
		options = append(options, option{[]string{"--ffmpeg-location", ffmpeg}, true})
	}
	return options
}

// formats prefers what needs the least work later: at most 1080 lines (of the
// short side), H.264 and AAC, pictures and sound apart.
func formats(sortable bool) []string {
	if sortable {
		return []string{
			"--format", "bv*+ba/b/bv*/ba",
			"--format-sort", "res:1080,fps:60,vcodec:h264,acodec:aac,ext:mp4:m4a",
		}
	}
	return []string{"--format", "bestvideo[height<=1080][ext=mp4]+bestaudio[ext=m4a]/" +
		"bestvideo[height<=1080]+bestaudio/best[height<=1080]/best"}
}

// arguments picks the options that the release knows. The URL comes last and
// behind "--": whatever it looks like, it is not an option. missing names an
// option that the release should know and does not. want names formats of the
// site; "" = the best.
func arguments(known map[string]bool, options []option, url, want string) (args []string, missing string) {
	for _, o := range options {
		switch {
		case known[o.args[0]]:
			args = append(args, o.args...)
		case o.must:
			return nil, o.args[0]
		}
	}
	if want != "" {
		args = append(args, "--format", want)
	} else {
		args = append(args, formats(known["--format-sort"])...)
	}
	return append(args, "--", url), ""
}
