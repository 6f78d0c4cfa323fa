package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/spool-video/spool"
)

// call is one start of the program: its arguments, environment and files
// (relative to the working folder; "user:" is the user's config file, and
// "machine:" the machine's).
type call struct {
	args  []string
	env   []string
	files map[string]string
}

func (c call) load(t *testing.T) (Config, string, error) {
	t.Helper()
	home := t.TempDir()
	cwd := filepath.Join(home, "work")
	user := filepath.Join(home, ".config", "spool", "spool.yaml")
	machine := filepath.Join(home, "etc", "spool.yaml")
	for _, dir := range []string{cwd, filepath.Dir(user), filepath.Dir(machine)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range c.files {
		path := filepath.Join(cwd, name)
		switch name {
		case "user:":
			path = user
		case "machine:":
			path = machine
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := pflag.NewFlagSet("spool", pflag.ContinueOnError)
	flags.Bool("another", false, "not a setting")
	Bind(flags)
	if err := flags.Parse(c.args); err != nil {
		return Config{}, home, err
	}
	cfg, err := load(flags, append([]string{"HOME=" + home, "PATH=/bin"}, c.env...), cwd, machine)
	return cfg, home, err
}

func TestDefaults(t *testing.T) {
	cfg, home, err := call{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(home, "work", "cdn-bucket")
	name := folderName(dest)
	if !strings.HasPrefix(name, "cdn-bucket-") || len(name) != len("cdn-bucket-")+8 {
		t.Errorf("folder name %s", name)
	}
	for got, want := range map[string]string{
		cfg.To:                    dest,
		cfg.State:                 filepath.Join(home, ".local/state/spool", name),
		cfg.Work:                  filepath.Join(home, ".cache/spool", name+".scratch"),
		cfg.Preset:                "medium",
		cfg.Ladder:                "default",
		cfg.YTDLP:                 "yt-dlp",
		cfg.Grace.String():        "30s",
		cfg.ScratchLimit.String(): "80%",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if cfg.Downloads != 3 || cfg.Encodes != 0 || cfg.Uploads != 8 || cfg.PerHost != 2 || cfg.Nice != 10 || cfg.MaxItems != 100 {
		t.Errorf("numbers: %+v", cfg)
	}
	if cfg.Origin("to") != "default" || cfg.Sizes != nil {
		t.Errorf("origin %s, sizes %v", cfg.Origin("to"), cfg.Sizes)
	}
}

// What scratch does not know in its folder it removes: one that was given is
// never that folder itself.
func TestScratchHasItsOwnFolder(t *testing.T) {
	one, home, err := call{args: []string{"--work", "../videos", "--to", "one"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "videos", folderName(one.To)+".scratch"); one.Work != want {
		t.Errorf("scratch is %s, want %s", one.Work, want)
	}
	both, _, err := call{env: []string{"XDG_STATE_HOME=/var/lib", "XDG_CACHE_HOME=/var/lib"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if within(both.Work, both.State) || within(both.State, both.Work) {
		t.Errorf("scratch is %s, and the state %s", both.Work, both.State)
	}
	_, _, err = call{args: []string{"--work", "/scratch", "--to", "/one", "--state", "/scratch/" + folderName("/one") + ".scratch/state"}}.load(t)
	if err == nil || !strings.Contains(err.Error(), "inside the scratch folder, which is cleared") {
		t.Errorf("a state inside the scratch folder: %v", err)
	}
}

func TestLayers(t *testing.T) {
	c := call{
		args: []string{"--preset=fast", "--sizes", "720,360p,720", "--another"},
		env:  []string{"SPOOL_PRESET=slow", "SPOOL_NICE=5", "SPOOL_REMAKE=yes", "SPOOL_KEYS="},
		files: map[string]string{
			"machine:":   "ffprobe: /opt/ffprobe\nper-host: 7\nuploads: 9\n",
			"spool.yaml": "preset: faster\nnice: 1\nuploads: 4\nto: ../out\n",
			"user:":      "preset: veryfast\nuploads: 5\ndownloads: 6\nffmpeg: tools/ffmpeg\nkeys: ~/keys\nscratch_limit: 20 GB\ngrace: 1h30m\nsizes: [360, 480]\n",
		},
	}
	cfg, home, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	here, user := filepath.Join(home, "work", "spool.yaml"), filepath.Join(home, ".config/spool/spool.yaml")
	machine := filepath.Join(home, "etc", "spool.yaml")
	type pair struct{ Value, Origin string }
	got := map[string]pair{}
	for _, v := range cfg.Values() {
		got[v.Key] = pair{v.Value, v.Origin}
	}
	want := map[string]pair{
		"preset":        {"fast", "--preset"},
		"sizes":         {"360,720", "--sizes"},
		"nice":          {"5", "SPOOL_NICE"},
		"remake":        {"true", "SPOOL_REMAKE"},
		"uploads":       {"4", here},
		"to":            {filepath.Join(home, "out"), here},
		"downloads":     {"6", user},
		"ffmpeg":        {filepath.Join(home, ".config/spool/tools/ffmpeg"), user},
		"keys":          {filepath.Join(home, "keys"), user},
		"scratch-limit": {"20000000000B", user},
		"grace":         {"1h30m0s", user},
		"encrypt":       {"auto", "default"},
		"per-host":      {"7", machine},
		"ffprobe":       {"/opt/ffprobe", machine},
	}
	for key, w := range want {
		if diff := cmp.Diff(w, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if cfg.ScratchLimit.Bytes != 20e9 || cfg.Grace != 90*time.Minute {
		t.Errorf("%v %v", cfg.ScratchLimit, cfg.Grace)
	}
}

func TestNamedFileStandsAlone(t *testing.T) {
	c := call{
		args:  []string{"--config", "other.yaml"},
		files: map[string]string{"spool.yaml": "nice: 1\n", "user:": "uploads: 2\n", "other.yaml": "ffmpeg: ./bin/ffmpeg\n"},
	}
	cfg, home, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Nice != 10 || cfg.Uploads != 8 || cfg.FFmpeg != filepath.Join(home, "work/bin/ffmpeg") {
		t.Errorf("%+v", cfg)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		call
		code, says string
	}{
		{call{env: []string{"SPOOL_PRESET=hyper"}}, "bad-setting", `SPOOL_PRESET is "hyper"; allowed are ultrafast`},
		{call{env: []string{"SPOOL_NICE=20"}}, "bad-setting", `SPOOL_NICE is "20"; allowed is a number from 0 to 19`},
		{call{files: map[string]string{"spool.yaml": "nice: twelve\n"}}, "bad-setting", `nice in `},
		{call{files: map[string]string{"spool.yaml": "nice: [1, [2]]\n"}}, "bad-setting", `neither a value nor a list`},
		{call{files: map[string]string{"spool.yaml": "prset: fast\n"}}, "unknown-setting", `did you mean preset?`},
		{call{files: map[string]string{"spool.yaml": "config: x\n"}}, "unknown-setting", `spool config schema says`},
		{call{files: map[string]string{"spool.yaml": "- a\n"}}, "bad-config", `not valid YAML with a key: value a line (near line 1: `},
		{call{files: map[string]string{"spool.yaml": "secret\n"}}, "bad-config", `not valid YAML`},
		{call{files: map[string]string{"spool.yaml": "nice: 1\npreset: fast\nnice: 2\n"}}, "bad-config", `(near line 3: mapping key "nice" already defined at line 1)`},
		{call{files: map[string]string{"spool.yaml": "nice: 1\npreset: fast\nto: a: b\n"}}, "bad-config", `(near line 3: `},
		{call{files: map[string]string{"user:": "remotes: {nas: {type: sftp, pass: *secret}}\n"}}, "bad-config", `in quotes`},
		{call{files: map[string]string{"spool.yaml": "ytdlp: ./evil\n"}}, "program-in-folder", `--ytdlp`},
		{call{files: map[string]string{"spool.yaml": "ffmpeg: evil\n"}}, "program-in-folder", `SPOOL_FFMPEG`},
		{call{files: map[string]string{"spool.yaml": "ffprobe: evil\n"}}, "program-in-folder", `may not`},
		{call{files: map[string]string{"spool.yaml": "allow-private: true\n"}}, "guard-in-folder", `--allow-private`},
		{call{files: map[string]string{"spool.yaml": "allow_cidr: [10.0.0.0/8]\n"}}, "guard-in-folder", `SPOOL_ALLOW_CIDR`},
		{call{args: []string{"--config", "none.yaml"}}, "no-config", `correct the path`},
		{call{args: []string{"--config", "none.yaml"}}, "no-config", `--config names`},
		{call{env: []string{"SPOOL_CONFIG=none.yaml"}}, "no-config", `SPOOL_CONFIG names`},
		{call{env: []string{"SPOOL_CONFIG=."}}, "no-config", `cannot be read`},
		{call{env: []string{"SPOOL_CONFIG=."}}, "no-config", `permit reading it`},
		{call{args: []string{"--ladder", "clasic"}}, "bad-setting", `did you mean classic?`},
		{call{args: []string{"--to", "s3://bucket"}}, "bad-setting", `not a folder`},
		{call{args: []string{"--keys", "cdn-bucket/keys"}}, "bad-setting", `inside the destination`},
		{call{args: []string{"--key-uri", "https://u:secret@a.example/{video}?t=secret"}}, "bad-setting", `no {key}`},
		{call{args: []string{"--key-uri", "/{id}/{key}"}}, "bad-setting", `allowed are {video} and {key}`},
		{call{args: []string{"--key-uri", "ftp://a.example/{key}"}}, "bad-setting", `http`},
		{call{env: []string{"HOME="}}, "no-home", `HOME`},
		{call{args: []string{"--to", ":s3,env_auth:secret"}}, "connection-string", `programs`},
		{call{env: []string{"SPOOL_TO=nas:../x"}}, "bad-remote-path", `..`},
		{call{files: map[string]string{"spool.yaml": "remotes: {nas: {type: sftp, ssh: evil}}\n"}}, "program-in-folder", `may not`},
		{call{files: map[string]string{"spool.yaml": "rclone-config: evil.conf\n"}}, "program-in-folder", `--rclone-config`},
		{call{files: map[string]string{"user:": "remotes: {\"n a s\": {type: sftp}}\n"}}, "bad-setting", `not a name`},
		{call{files: map[string]string{"user:": "remotes: {nas: secret}\n"}}, "bad-setting", `with options`},
		{call{files: map[string]string{"user:": "ladders: {default: [{size: 360, crf: 23, max-rate: 800}]}\n"}}, "bad-setting", `default`},
		{call{files: map[string]string{"user:": "ladders: {small: [{size: 360, crf: 23, maxrate: 800}]}\n"}}, "bad-setting", `did you mean max-rate?`},
		{call{files: map[string]string{"user:": "ladders: {small: [{size: 361, crf: 23, max-rate: 800}]}\n"}}, "bad-setting", `even`},
	} {
		_, _, err := c.load(t)
		var e *spool.Error
		if !errors.As(err, &e) {
			t.Errorf("%+v: %v", c.call, err)
			continue
		}
		if e.Code != c.code || !strings.Contains(e.Reason+" "+e.Hint, c.says) {
			t.Errorf("%+v:\n%s: %s (%s)\nwant %s … %s", c.call, e.Code, e.Reason, e.Hint, c.code, c.says)
		}
		if strings.Contains(e.Reason+e.Hint+err.Error(), "secret") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

func TestWrongFlagIsRefusedWhenParsed(t *testing.T) {
	_, _, err := call{args: []string{"--uploads", "0"}}.load(t)
	if err == nil || !strings.Contains(err.Error(), "--uploads") || !strings.Contains(err.Error(), "from 1 to 256") {
		t.Errorf("%v", err)
	}
}

func TestSlipInTheEnvironmentIsANote(t *testing.T) {
	cfg, _, err := call{env: []string{"SPOOL_PRESETT=fast", "SPOOL_PORT_80_TCP=tcp://10.0.0.1:80"}}.load(t)
	want := []string{"SPOOL_PRESETT is not a setting; did you mean SPOOL_PRESET?"}
	if diff := cmp.Diff(want, cfg.Notes); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestLadders(t *testing.T) {
	c := call{
		args:  []string{"--ladder=mobile"},
		files: map[string]string{"spool.yaml": "ladders:\n  mobile:\n  - {size: 480, crf: 24, max-rate: 900}\n  - {size: 240, crf: 28, max-rate: 300}\n"},
	}
	cfg, _, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Ladder{"mobile": {{240, 28, 300_000}, {480, 24, 900_000}}}
	if diff := cmp.Diff(want, cfg.Ladders); diff != "" {
		t.Error(diff)
	}
}

func TestRemotes(t *testing.T) {
	c := call{
		args:  []string{"--to", "nas:films//2026/", "--include", "*.mp4, 2026/**", "--verify-read"},
		files: map[string]string{"user:": "remotes:\n  nas: {type: sftp, host: nas.local, port: 22}\nrclone_config: my.conf\n"},
	}
	cfg, home, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{"nas": {"type": "sftp", "host": "nas.local", "port": "22"}}
	if diff := cmp.Diff(want, cfg.Remotes); diff != "" {
		t.Error(diff)
	}
	at, far := cfg.RemoteTo()
	if !far || at != (spool.RemotePath{Remote: "nas", Path: "films/2026"}) || !strings.Contains(cfg.State, "/spool/2026-") || !cfg.VerifyRead {
		t.Errorf("to %v %v, state %s", at, far, cfg.State)
	}
	if cfg.RcloneConfig != filepath.Join(home, ".config/spool/my.conf") {
		t.Errorf("rclone's file is %s", cfg.RcloneConfig)
	}
	if diff := cmp.Diff([]string{"*.mp4", "2026/**"}, cfg.Include); diff != "" {
		t.Error(diff)
	}
}

func TestEncryption(t *testing.T) {
	for _, c := range []struct {
		args string
		on   bool
		uri  string
		why  string
	}{
		{"", false, "", "not encrypted: no --key-uri"},
		{"--encrypt=none --key-uri=/k/{key}", false, "", "not encrypted: --encrypt is none"},
		{"--key-uri=https://k.example/{video}/{key}?t=secret", true, "https://k.example/{video}/{key}?t=secret", "AES-128, keys at https://k.example/{video}/{key}?t=…"},
		{"--keys=../keys", true, "/keys/{video}/{key}.key", "AES-128, keys at /keys/{video}/{key}.key, exported to "},
		{"--keys=../keys --key-uri=/k/{key} --encrypt=aes-128", true, "/k/{key}", "AES-128, keys at /k/{key}"},
	} {
		cfg, _, err := call{args: strings.Fields(c.args)}.load(t)
		if err != nil {
			t.Fatal(err)
		}
		e, err := cfg.Encryption()
		if err != nil || e.On != c.on || e.URI != c.uri || !strings.HasPrefix(e.Why, c.why) {
			t.Errorf("%s: %+v, %v", c.args, e, err)
		}
		s, err := cfg.VideoSettings()
		if err != nil || s.Encrypt != c.on || s.KeyURI != c.uri {
			t.Errorf("%s: %+v, %v", c.args, s, err)
		}
	}
	cfg, _, err := call{env: []string{"SPOOL_ENCRYPT=aes-128"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cfg.VideoSettings()
	if e := spool.AsError(err); e == nil || e.Code != "no-key-uri" || !strings.Contains(e.Hint, "--key-uri") || !strings.Contains(e.Hint, "--keys") {
		t.Errorf("%v", err)
	}
}

func TestValuesReadWhatTheyWrite(t *testing.T) {
	for _, text := range []string{"80%", "0.5GB", "1 TiB", "2000000", "12.5 %", "100%", "3g"} {
		var a, b Limit
		if err := a.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err := b.Set(a.String()); err != nil || a != b {
			t.Errorf("%s becomes %s, then %v (%v)", text, a.String(), b, err)
		}
	}
	for _, text := range []string{"", "0%", "101%", "NaN%", "NaNGB", "-5GB", "0", "80", "1e400", "x", "GB", "%"} {
		if err := new(Limit).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "192.168.1.5, fd00::/8": "192.168.1.5/32,fd00::/8", "10.1.2.3/8": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1/32",
	} {
		var n networks
		if err := n.Set(text); err != nil || n.String() != want {
			t.Errorf("networks %q are %q, %v", text, n.String(), err)
		}
	}
	for _, text := range []string{"", "10.0.0.0/33", "nas.example", "10.0.0.1,", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if err := new(networks).Set(text); err == nil {
			t.Errorf("networks %q are accepted", text)
		}
	}
	for _, text := range []string{"", "361", "0", "abc", "360,,720", "99999"} {
		if err := new(sizes).Set(text); err == nil {
			t.Errorf("sizes %q are accepted", text)
		}
	}
}

func TestHelpNamesTheEnvironment(t *testing.T) {
	flags := pflag.NewFlagSet("spool", pflag.ContinueOnError)
	Bind(flags, "to", "key-uri", "verbose")
	usage := flags.FlagUsages()
	for _, want := range []string{"--to DEST", `[SPOOL_TO] (default ./cdn-bucket)`, "--key-uri TEMPLATE", "[SPOOL_VERBOSE]"} {
		if !strings.Contains(usage, want) {
			t.Errorf("no %q in\n%s", want, usage)
		}
	}
	if len(MainKeys()) != 6 {
		t.Errorf("%d flags on the first screen: %v", len(MainKeys()), MainKeys())
	}
}
