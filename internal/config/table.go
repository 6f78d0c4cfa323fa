package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/spool-video/spool"
)

// setting is one row of the table: a flag, an environment variable and a key
// of the file, all under one name.
type setting struct {
	key     string // "key-uri": --key-uri, SPOOL_KEY_URI, key-uri:
	help    string
	main    bool // on the first screen of --help
	path    bool // relative to the working folder, or to the file that names it
	program bool // names a program: not from a file found in the working folder
	guard   bool // says what may be reached: likewise
	watch   bool // a flag of spool watch and spool serve alone
	serve   bool // a flag of spool serve alone
	client  bool // a flag of the commands that may ask a serve
	worker  bool // a flag of spool worker alone
	fleet   bool // a flag of spool serve and spool worker alone
	usual   string
	value   func(*Config) pflag.Value
}

func (s setting) env() string {
	return "SPOOL_" + strings.ToUpper(strings.ReplaceAll(s.key, "-", "_"))
}

var presets = []string{
	"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
}

// settings is the table, in the order of the help text.
var settings = []setting{
	{
		key: "to", usual: "./cdn-bucket", main: true, path: true, help: "publish to this folder, or to NAME:PATH in a remote of rclone.conf",
		value: func(c *Config) pflag.Value { return text(&c.To, "DEST") },
	}, {
		key: "key-uri", main: true, help: "encrypt; players get keys here, with {video} and {key} filled in",
		value: func(c *Config) pflag.Value { return text(&c.KeyURI, "TEMPLATE") },
	}, {
		key: "keys", main: true, path: true, help: "encrypt; export keys to this folder, outside DEST",
		value: func(c *Config) pflag.Value { return text(&c.Keys, "DIR") },
	}, {
		key: "sizes", main: true, help: "short sides to make, as 360,720,1080",
		value: func(c *Config) pflag.Value { return (*sizes)(&c.Sizes) },
	}, {
		key: "preset", usual: "medium", main: true, help: "x264's preset, ultrafast to veryslow",
		value: func(c *Config) pflag.Value { return choice(&c.Preset, "PRESET", presets...) },
	}, {
		key: "progress", usual: "auto", main: true, help: "auto, tty, plain, json or none",
		value: func(c *Config) pflag.Value {
			return choice(&c.Progress, "MODE", "auto", "tty", "plain", "json", "none")
		},
	}, {
		key: "encrypt", usual: "auto", help: "auto (when a key flag is given), aes-128 or none",
		value: func(c *Config) pflag.Value { return choice(&c.Encrypt, "MODE", "auto", "aes-128", "none") },
	}, {
		key: "key-rotation", usual: "0", help: "a new key every N segments, the same for all sizes and the sound; 0: one key for all",
		value: func(c *Config) pflag.Value { return number(&c.KeyRotation, 0, 100_000) },
	}, {
		key: "ladder", usual: "default", help: "default, classic, or one that the config file defines",
		value: func(c *Config) pflag.Value { return text(&c.Ladder, "NAME") },
	}, {
		key: "copy", usual: "auto", help: "auto takes the source's own pictures as the top size when they are good as they are; never encodes all",
		value: func(c *Config) pflag.Value { return choice(&c.Copy, "MODE", "auto", spool.CopyNever) },
	}, {
		key: "storyboard", usual: "auto", help: "small pictures over the seek bar: auto (of videos that are not encrypted: they show everything), always or off",
		value: func(c *Config) pflag.Value {
			return choice(&c.Storyboard, "MODE", "auto", spool.StoryboardAlways, spool.StoryboardOff)
		},
	}, {
		key: "segment", usual: "6s", help: "how long segments are, 2s to 10s in whole seconds: short ones start sooner, long ones are fewer",
		value: func(c *Config) pflag.Value { return &seconds{to: &c.Segment, smallest: 2, largest: 10} },
	}, {
		key: "container", usual: "cmaf", help: "cmaf (fragmented MP4), or ts (MPEG-TS and packed audio) for players that are older",
		value: func(c *Config) pflag.Value { return choice(&c.Container, "KIND", "cmaf", spool.TS) },
	}, {
		key: "early", usual: "auto", help: "watch while it is made: auto (when nobody has to wait), soon (from the first segment) or off",
		value: func(c *Config) pflag.Value { return choice(&c.Early, "MODE", "auto", "soon", "off") },
	}, {
		key: "downloads", usual: "3", help: "downloads at a time",
		value: func(c *Config) pflag.Value { return number(&c.Downloads, 1, 64) },
	}, {
		key: "encodes", usual: "0", help: "encoders at a time; 0: chosen from the cores",
		value: func(c *Config) pflag.Value { return number(&c.Encodes, 0, 256) },
	}, {
		key: "uploads", usual: "8", help: "uploads at a time",
		value: func(c *Config) pflag.Value { return number(&c.Uploads, 1, 256) },
	}, {
		key: "per-host", usual: "2", help: "downloads from one host at a time, at most: fewer when more are not faster",
		value: func(c *Config) pflag.Value { return number(&c.PerHost, 1, 64) },
	}, {
		key: "cookies", path: true, help: "cookies.txt for downloads",
		value: func(c *Config) pflag.Value { return text(&c.Cookies, "FILE") },
	}, {
		key: "allow-private", usual: "true", guard: true, help: "fetch from this machine and its own network, too (serve and worker: only when asked to); false: from public addresses only",
		value: func(c *Config) pflag.Value { return (*truth)(&c.AllowPrivate) },
	}, {
		key: "allow-cidr", guard: true, help: "fetch from these addresses whatever they are, as 10.0.0.0/8,192.168.1.5",
		value: func(c *Config) pflag.Value { return (*networks)(&c.AllowCIDR) },
	}, {
		key: "include", help: "of a folder, take only files of these names, as *.mp4,2026/**",
		value: func(c *Config) pflag.Value { return (*globs)(&c.Include) },
	}, {
		key: "exclude", help: "of a folder, leave out files of these names",
		value: func(c *Config) pflag.Value { return (*globs)(&c.Exclude) },
	}, {
		key: "max-items", usual: "100", help: "videos that one playlist may hold",
		value: func(c *Config) pflag.Value { return number(&c.MaxItems, 1, 100_000) },
	}, {
		key: "download-dir", path: true, help: "keep sources here, and use what is there",
		value: func(c *Config) pflag.Value { return text(&c.DownloadDir, "DIR") },
	}, {
		key: "direct", help: "read links by ranges where they lie, and copy nothing, if their servers can; each part of the source is asked for when it is encoded",
		value: func(c *Config) pflag.Value { return (*truth)(&c.Direct) },
	}, {
		key: "staging", path: true, help: "keep the sources of links in this folder or NAME:PATH while they are worked on, so that other machines can read them",
		value: func(c *Config) pflag.Value { return text(&c.Staging, "PLACE") },
	}, {
		key: "refresh", help: "ask the servers of ready videos whether their files changed; pages are not asked",
		value: func(c *Config) pflag.Value { return (*truth)(&c.Refresh) },
	}, {
		key: "remake", help: "make new revisions of videos that have other settings",
		value: func(c *Config) pflag.Value { return (*truth)(&c.Remake) },
	}, {
		key: "grace", usual: "30s", help: "how long running jobs may take to end after Ctrl-C",
		value: func(c *Config) pflag.Value { return (*span)(&c.Grace) },
	}, {
		key: "nice", usual: "10", help: "how much encoders yield to other programs, 0 to 19",
		value: func(c *Config) pflag.Value { return number(&c.Nice, 0, 19) },
	}, {
		key: "sandbox", usual: "auto", guard: true, help: "hold ffmpeg and yt-dlp to what they need, as far as this system can (auto), or not (off)",
		value: func(c *Config) pflag.Value { return choice(&c.Sandbox, "MODE", "auto", "off") },
	}, {
		key: "state", path: true, help: "ledger and master key; usually below $XDG_STATE_HOME/spool",
		value: func(c *Config) pflag.Value { return text(&c.State, "DIR") },
	}, {
		key: "work", path: true, help: "scratch; usually below $XDG_CACHE_HOME/spool",
		value: func(c *Config) pflag.Value { return text(&c.Work, "DIR") },
	}, {
		key: "scratch-limit", usual: "80%", help: "how much scratch may hold, as 80% of what is free, or 20GB (then MP4 links may be larger)",
		value: func(c *Config) pflag.Value { return &c.ScratchLimit },
	}, {
		key: "verify-read", help: "read back what is uploaded, even where the store gives a checksum",
		value: func(c *Config) pflag.Value { return (*truth)(&c.VerifyRead) },
	}, {
		key: "rclone-config", path: true, program: true, help: "remotes of rclone, instead of those in its own place",
		value: func(c *Config) pflag.Value { return text(&c.RcloneConfig, "FILE") },
	}, {
		key: "ytdlp", usual: "yt-dlp", program: true, help: "the yt-dlp or youtube-dl to use",
		value: func(c *Config) pflag.Value { return text(&c.YTDLP, "PATH") },
	}, {
		key: "ffmpeg", usual: "ffmpeg", program: true, help: "the ffmpeg to use",
		value: func(c *Config) pflag.Value { return text(&c.FFmpeg, "PATH") },
	}, {
		key: "ffprobe", usual: "ffprobe", program: true, help: "the ffprobe to use",
		value: func(c *Config) pflag.Value { return text(&c.FFprobe, "PATH") },
	}, {
		key: "settle", usual: "10s", watch: true, help: "how long a file must not have changed to be taken for whole",
		value: func(c *Config) pflag.Value { return (*span)(&c.Settle) },
	}, {
		key: "poll", usual: "30s", watch: true, help: "how often folders and lists are looked at whose changes no system tells, as those of a NAS",
		value: func(c *Config) pflag.Value { return (*span)(&c.Poll) },
	}, {
		key: "poll-pages", usual: "15m", watch: true, help: "how often web pages are asked for new videos",
		value: func(c *Config) pflag.Value { return (*span)(&c.PollPages) },
	}, {
		key: "watch", serve: true, help: "publish what is and what comes there: folders, lists, pages, with commas between",
		value: func(c *Config) pflag.Value { return (*places)(&c.Watch) },
	}, {
		key: "http", usual: "127.0.0.1:7777", serve: true, help: "answer the API, and players who ask for keys, at this address; off: nowhere",
		value: func(c *Config) pflag.Value { return text(&c.HTTP, "ADDR") },
	}, {
		key: "allow-source", serve: true, guard: true, help: "what is handed in by the API may name files below here: folders, or NAME:PATH, with commas between",
		value: func(c *Config) pflag.Value { return (*places)(&c.AllowSource) },
	}, {
		key: "open-keys", serve: true, guard: true, help: "give content keys to everybody who asks; else to who knows the token, or has a signed link",
		value: func(c *Config) pflag.Value { return (*truth)(&c.OpenKeys) },
	}, {
		key: "webhook-secret", serve: true, path: true, guard: true, help: "sign callbacks with the secret in this file; usually webhook-secret in the state folder",
		value: func(c *Config) pflag.Value { return text(&c.WebhookSecret, "FILE") },
	}, {
		key: "listen", serve: true, help: "let spool worker on other machines in at this address: the queue is then in this process",
		value: func(c *Config) pflag.Value { return text(&c.Listen, "ADDR") },
	}, {
		key: "queue", fleet: true, guard: true, help: "the queue that joins serve and its workers: nats://host:4222, redis://host:6379 or amqp://host:5672; with TLS, tls://, rediss:// or amqps://",
		value: func(c *Config) pflag.Value { return text(&c.Queue, "URL") },
	}, {
		key: "fleet-key", fleet: true, path: true, guard: true, help: "the key that serve and its workers share (spool keys fleet)",
		value: func(c *Config) pflag.Value { return text(&c.FleetKey, "FILE") },
	}, {
		key: "log-format", usual: "off", fleet: true, help: "text or json: events for a log, one a line, instead of lines for people",
		value: func(c *Config) pflag.Value { return choice(&c.LogFormat, "FORMAT", "off", "text", "json") },
	}, {
		key: "metrics", fleet: true, help: "answer Prometheus, /livez and /readyz at this address, to everybody who reaches it",
		value: func(c *Config) pflag.Value { return text(&c.Metrics, "ADDR") },
	}, {
		key: "slots", usual: "auto", serve: true, help: "auto: this process works, too, as --downloads, --encodes and --uploads say; none: all work is its workers'",
		value: func(c *Config) pflag.Value { return choice(&c.Slots, "MODE", "auto", "none") },
	}, {
		key: "ledger", usual: "sqlite:", serve: true, help: "where the ledger is kept: sqlite:, a file in the state folder",
		value: func(c *Config) pflag.Value { return text(&c.Ledger, "URL") },
	}, {
		key: "name", worker: true, help: "the worker's name; usually the machine's",
		value: func(c *Config) pflag.Value { return text(&c.Name, "NAME") },
	}, {
		key: "local-files", worker: true, help: "files have the same paths here as where serve runs; so it is, without being said, when the queue is on this machine",
		value: func(c *Config) pflag.Value { return (*truth)(&c.LocalFiles) },
	}, {
		key: "api", client: true, guard: true, help: "ask the serve at this address, instead of the one that holds the destination here",
		value: func(c *Config) pflag.Value { return text(&c.API, "URL") },
	}, {
		key: "token-file", path: true, client: true, guard: true, help: "where the API's token lies; usually api-token in the state folder",
		value: func(c *Config) pflag.Value { return text(&c.TokenFile, "FILE") },
	}, {
		key: "config", path: true, help: "the config file, instead of ./spool.yaml, the one in $XDG_CONFIG_HOME/spool and /etc/spool/spool.yaml",
		value: func(c *Config) pflag.Value { return text(&c.config, "FILE") },
	}, {
		key: "verbose", help: "say more",
		value: func(c *Config) pflag.Value { return (*truth)(&c.Verbose) },
	},
}

// find gives the row of a key. The file may write _ for -.
func find(key string) (setting, bool) {
	key = strings.ReplaceAll(key, "_", "-")
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// fileKeys are the keys that a file may have.
func fileKeys() []string {
	keys := []string{"ladders", "remotes"}
	for _, s := range settings {
		if s.key != "config" {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// Keys are all settings' names, in the order of the help text.
func Keys() []string { return chosen(func(setting) bool { return true }) }

// RunKeys are the settings of spool run.
func RunKeys() []string {
	return chosen(func(s setting) bool { return !s.watch && s.ofRun() })
}

// WatchKeys are the settings of spool watch.
func WatchKeys() []string { return chosen(setting.ofRun) }

// ServeKeys are the settings of spool serve.
func ServeKeys() []string {
	return chosen(func(s setting) bool { return !s.worker && (!s.client || s.key == "token-file") })
}

// ofRun: it is a setting of spool run and spool watch.
func (s setting) ofRun() bool { return !s.serve && !s.client && !s.worker && !s.fleet }

// WorkerKeys are the settings of spool worker: what shapes a video comes with
// its jobs.
func WorkerKeys() []string {
	return chosen(func(s setting) bool {
		return s.worker || s.fleet || slices.Contains(ofWorkers, s.key)
	})
}

var ofWorkers = []string{
	"to", "work", "staging", "downloads", "encodes", "uploads", "per-host", "cookies", "allow-private", "allow-cidr", "grace", "nice",
	"scratch-limit", "verify-read", "rclone-config", "ytdlp", "ffmpeg", "ffprobe", "sandbox", "progress", "config", "verbose",
}

// MainKeys are the settings that the first screen of --help shows.
func MainKeys() []string { return chosen(func(s setting) bool { return s.main }) }

func chosen(wanted func(setting) bool) []string {
	var keys []string
	for _, s := range settings {
		if wanted(s) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// Bind declares flags for keys, or for all settings when none is named. Each
// flag's help ends with its environment variable.
func Bind(flags *pflag.FlagSet, keys ...string) {
	held := &Config{}
	if len(keys) == 0 {
		keys = Keys()
	}
	for _, key := range keys {
		s, found := find(key)
		if !found {
			panic("config: no setting " + key) // a slip in our own code, seen by the first test
		}
		value := s.value(held)
		if s.usual != "" {
			if err := value.Set(s.usual); err != nil {
				panic("config: the default of " + key + ": " + err.Error())
			}
		}
		f := flags.VarPF(value, s.key, "", s.help+" ["+s.env()+"]")
		if _, isBool := value.(*truth); isBool {
			f.NoOptDefVal = "true"
		}
	}
	flags.SortFlags = false
}
