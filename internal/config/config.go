// Package config holds every setting of Spool: one struct, one table, four
// layers. A flag wins over the environment, that over the file, that over the
// default; each value remembers which layer it came from.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Config is what Spool was asked to do, with all paths absolute.
type Config struct {
	To            string // the destination: a folder, or NAME:PATH (ask RemoteTo)
	State         string // ledger, lock, master key
	Work          string // scratch
	ScratchLimit  Limit
	DownloadDir   string // where sources are kept, or ""
	Encrypt       string // "auto", "aes-128", "none": ask Encryption
	KeyURI        string // template, or ""
	Keys          string // folder that keys are exported to, or ""
	KeyRotation   int    // segments that share a key; 0: all
	Ladder        string
	Sizes         []int // short sides, ascending; nil: the ladder's own
	Preset        string
	Copy          string // "auto" or "never": ask VideoSettings
	Storyboard    string // "auto", "always" or "off": likewise
	Segment       int    // seconds
	Container     string // "cmaf" or "ts": ask VideoSettings
	Early         string // "auto", "soon", "off"
	Downloads     int
	Encodes       int // 0: chosen from the cores
	Uploads       int
	PerHost       int
	Cookies       string
	AllowPrivate  bool           // sources may lie on this machine and its network
	AllowCIDR     []netip.Prefix // sources may lie there, whatever AllowPrivate says
	Nice          int
	Sandbox       string // "auto", "off"
	Progress      string // "auto", "tty", "plain", "json", "none"
	Verbose       bool
	YTDLP         string // a path, or a name to be found in PATH
	FFmpeg        string
	FFprobe       string
	Include       []string // patterns of what is taken of a folder; nil: all media files
	Exclude       []string // of what is left out
	MaxItems      int
	Refresh       bool
	Remake        bool
	Settle        time.Duration // how long a file must not have changed to be whole
	Poll          time.Duration // how often folders and lists are looked at
	PollPages     time.Duration // how often pages are asked
	Watch         []string      // what spool serve publishes by itself: as arguments of spool watch
	HTTP          string        // where the API is answered, or "off"
	AllowSource   []string      // absolute folders, and NAME:PATH: what the API may name
	WebhookSecret string        // ask CallbackSecret
	OpenKeys      bool          // content keys are for everybody
	Listen        string        // where the queue in this process is reached, or ""
	Queue         string        // the queue's URL, or ""; may hold a password
	FleetKey      string        // a file, or ""
	LogFormat     string        // "off", "text" or "json"
	Metrics       string        // where metrics are answered, or ""
	Slots         string        // "auto" or "none"
	Ledger        string        // a URL
	Name          string        // the worker's, or ""
	LocalFiles    bool          // the worker has the files of the serve's machine
	API           string        // the serve to ask, or "": that of the destination
	TokenFile     string        // ask APIToken
	Grace         time.Duration // how long running jobs may take to end after Ctrl-C
	VerifyRead    bool
	Direct        bool
	Staging       string                       // a folder or NAME:PATH, or "": sources are not staged
	RcloneConfig  string                       // a file, or "": where rclone keeps its own
	Remotes       map[string]map[string]string // those that the file defines: name → option → value
	Ladders       map[string]Ladder            // those that the file defines
	Notes         []string                     // what a person should know and that stops nothing

	config string // --config
	origin map[string]string
}

// Ladder is a ladder that the config file defines, smallest rung first.
type Ladder []LadderRung

// LadderRung is one rung of a Ladder.
type LadderRung struct {
	ShortSide int // pixels
	CRF       int
	MaxRate   int // bits per second, for up to 30 frames per second
}

// Limit is how much scratch may hold: Bytes when it is above 0, else a share
// of the free space.
type Limit struct {
	Bytes int64
	Share float64 // 0.8 is 80 %
}

// RemoteTo is the destination, when it is not a folder of this machine.
func (c *Config) RemoteTo() (spool.RemotePath, bool) {
	if !spool.IsRemotePath(c.To) {
		return spool.RemotePath{}, false
	}
	at, err := spool.ParseRemotePath(c.To)
	return at, err == nil
}

// StagingPlace is where sources for this destination are staged, "" when they
// are not.
func (c *Config) StagingPlace() string {
	if c.Staging == "" {
		return ""
	}
	return strings.TrimSuffix(c.Staging, "/") + "/" + folderName(c.To)
}

// APIToken is the file in which the API's token lies.
func (c *Config) APIToken() string {
	if c.TokenFile != "" {
		return c.TokenFile
	}
	return filepath.Join(c.State, "api-token")
}

// CallbackSecret is the file in which the secret lies that callbacks are signed
// with, and whether it is Spool's own: then it is made when it is not there.
func (c *Config) CallbackSecret() (path string, own bool) {
	if c.WebhookSecret != "" {
		return c.WebhookSecret, false
	}
	return filepath.Join(c.State, "webhook-secret"), true
}

// Origin says where a setting's value came from: "default", a flag as it is
// typed, the name of an environment variable, or the path of a file.
func (c *Config) Origin(key string) string {
	if o := c.origin[key]; o != "" {
		return o
	}
	return "default"
}

// Value is one setting as it is shown to a person.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`        // as Config.Origin gives it
	Env    string `json:"env,omitempty"` // the variable that sets it
}

// Values lists all settings in the order of the help text, without secrets,
// and the names of the ladders that are defined, if there are any.
func (c *Config) Values() []Value {
	values := make([]Value, 0, len(settings))
	for _, s := range settings {
		text := plaintext.Show(s.value(c).String())
		values = append(values, Value{Key: s.key, Value: text, Origin: c.Origin(s.key), Env: s.env()})
	}
	if len(c.Ladders) > 0 {
		names := strings.Join(slices.Sorted(maps.Keys(c.Ladders)), ", ")
		values = append(values, Value{Key: "ladders", Value: names, Origin: c.Origin("ladders")})
	}
	return values
}

// LadderNames are the names that --ladder may have.
func (c *Config) LadderNames() []string {
	return append([]string{"default", "classic"}, slices.Sorted(maps.Keys(c.Ladders))...)
}

// Encryption is what was decided about it.
type Encryption struct {
	On  bool
	URI string // template of key URIs, with {video} and {key}
	Why string // for a person: "not encrypted: no --key-uri"
}

// usualKeyURI is where `spool preview` and a web server in front of --keys
// find exported keys.
const usualKeyURI = "/keys/{video}/{key}.key"

// Encryption decides whether videos are encrypted. It is an error to ask for
// it without saying where players get keys.
func (c *Config) Encryption() (Encryption, error) {
	if c.Encrypt == "none" {
		return Encryption{Why: "not encrypted: " + c.say("encrypt") + " is none"}, nil
	}
	switch {
	case c.KeyURI != "":
		return Encryption{On: true, URI: c.KeyURI, Why: "AES-128, keys at " + plaintext.Show(c.KeyURI)}, nil
	case c.Keys != "":
		return Encryption{On: true, URI: usualKeyURI, Why: "AES-128, keys at " + usualKeyURI + ", exported to " + plaintext.Sanitize(c.Keys)}, nil
	case c.KeyRotation > 0 && c.Encrypt == "auto":
		return Encryption{}, &spool.Error{
			Class: spool.Permanent, Code: "no-key-uri",
			Reason: fmt.Sprintf("%s asks for a new key every %d segments, but nothing says where players get the keys", c.say("key-rotation"), c.KeyRotation),
			Hint:   "add --key-uri TEMPLATE (https://example.com/keys/{video}/{key}) or --keys DIR",
		}
	case c.Encrypt == "auto":
		return Encryption{Why: "not encrypted: no --key-uri"}, nil
	}
	return Encryption{}, &spool.Error{
		Class: spool.Permanent, Code: "no-key-uri",
		Reason: c.say("encrypt") + " is aes-128, but nothing says where players get the keys",
		Hint:   "add --key-uri TEMPLATE (https://example.com/keys/{video}/{key}) or --keys DIR",
	}
}

// VideoSettings are the settings that a revision is made with.
func (c *Config) VideoSettings() (spool.Settings, error) {
	e, err := c.Encryption()
	if err != nil {
		return spool.Settings{}, err
	}
	s := spool.Settings{Ladder: c.Ladder, Sizes: c.Sizes, Preset: c.Preset, Encrypt: e.On, KeyURI: e.URI}
	if e.On {
		s.KeyRotation = c.KeyRotation
	}
	if c.Copy == spool.CopyNever {
		s.Copy = spool.CopyNever
	}
	if c.Container == spool.TS {
		s.Container = spool.TS
	}
	if c.Storyboard != "auto" {
		s.Storyboard = c.Storyboard
	}
	if c.Segment != spool.UsualSegment {
		s.Segment = c.Segment
	}
	return s, nil
}

// say names a setting as the person who set it did.
func (c *Config) say(key string) string {
	switch o := c.Origin(key); {
	case o == "default", strings.HasPrefix(o, "--"):
		return "--" + key
	case strings.HasPrefix(o, "SPOOL_"):
		return o
	default:
		return key + " in " + plaintext.Sanitize(o)
	}
}

// folderName is what a destination is called below the state and cache
// folders: readable, and different for different destinations.
func folderName(dest string) string {
	const longestSlug = 40
	slug := plaintext.Slug(filepath.Base(dest), longestSlug)
	if slug == "" {
		slug = "dest"
	}
	sum := sha256.Sum256([]byte(dest))
	return slug + "-" + hex.EncodeToString(sum[:4])
}

// bad is the error of a value that cannot be used.
func (c *Config) bad(key, what, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: "bad-setting", Reason: fmt.Sprintf("%s %s", c.say(key), what), Hint: hint}
}
