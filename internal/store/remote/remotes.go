package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	rclone "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/unknwon/goconfig" //nolint:misspell // so it is called

	"github.com/spool-video/spool"
)

// Remotes are the stores that the user has configured, by name: the options of
// each, as they stand in rclone.conf.
type Remotes map[string]map[string]string

// UsualConfig is where rclone keeps its configuration: $RCLONE_CONFIG, or
// rclone/rclone.conf in the user's folder of configurations.
func UsualConfig() string { return config.GetConfigPath() }

// ReadRemotes reads a file of rclone. One that is not there holds nothing.
func ReadRemotes(path string) (Remotes, error) {
	quiet()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Remotes{}, nil
	}
	if err != nil {
		return nil, unreadable(path, "cannot be read", err)
	}
	if encrypted(text) && os.Getenv("RCLONE_CONFIG_PASS") == "" {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "remotes-encrypted", Reason: "the remotes in " + path + " are encrypted",
			Hint: "put their password into the variable RCLONE_CONFIG_PASS",
		}
	}
	plain, err := config.Decrypt(bytes.NewReader(text))
	if err != nil {
		return nil, unreadable(path, "cannot be decrypted", err)
	}
	file, err := goconfig.LoadFromReader(plain)
	if err != nil {
		return nil, unreadable(path, "is not a configuration of rclone", err)
	}
	remotes := Remotes{}
	for _, name := range file.GetSectionList() {
		options, err := file.GetSection(name)
		if err != nil || options["type"] == "" {
			continue // what stands before the first section
		}
		remotes[name] = options
	}
	return remotes, nil
}

func encrypted(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("RCLONE_ENCRYPT_")) {
			return true
		}
	}
	return false
}

func unreadable(path, what string, err error) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "no-remotes", Reason: "the file of remotes " + path + " " + what,
		Hint: "look at it with rclone config, or name another one with --rclone-config", Err: err,
	}
}

// find gives the backend of a remote, and its options.
func (r Remotes) find(name string) (*rclone.RegInfo, *configmap.Map, error) {
	options, known := r[name]
	if !known {
		hint := "none is defined: rclone config defines remotes"
		if len(r) > 0 {
			hint = "defined are " + strings.Join(slices.Sorted(maps.Keys(r)), ", ")
		}
		return nil, nil, &spool.Error{
			Class: spool.Permanent, Code: "unknown-remote", Reason: fmt.Sprintf("there is no remote %q", name), Hint: hint,
		}
	}
	info, err := rclone.Find(options["type"])
	if _, supported := kinds[options["type"]]; err != nil || !supported {
		return nil, nil, &spool.Error{
			Class: spool.Permanent, Code: "unknown-store",
			Reason: fmt.Sprintf("the remote %q is of the type %q, which Spool does not speak", name, options["type"]),
			Hint:   "it speaks " + strings.Join(slices.Sorted(maps.Keys(kinds)), ", ") + "; others can be mounted as a folder (rclone mount)",
		}
	}
	m := rclone.ConfigMap(info.Prefix, info.Options, name, kinds[options["type"]].fixed)
	m.AddGetter(configmap.Simple(options), configmap.PriorityConfig)
	m.AddGetter(configmap.Simple(kinds[options["type"]].usual), configmap.PriorityConfig) // asked after those
	return info, m, nil
}

// connect makes rclone's store of a place, which may speak to its server, and
// give up when that says nothing for too long. more are options over all others.
func (r Remotes) connect(ctx context.Context, at spool.RemotePath, silence time.Duration, more map[string]string) (rclone.Fs, error) {
	quiet()
	info, options, err := r.find(at.Remote)
	if err != nil {
		return nil, err
	}
	options.AddGetter(configmap.Simple(more), configmap.PriorityNormal)
	// What has to be tried again is tried again here: many layers that each try
	// a few times wait for hours together.
	ctx, settings := rclone.AddConfig(ctx)
	settings.LowLevelRetries = 1
	settings.UseServerModTime = true
	settings.ConnectTimeout = rclone.Duration(connecting)
	settings.Timeout = rclone.Duration(silence)
	place := at.Path
	if kinds[info.Name].slash && place != "" {
		place += "/"
	}
	return info.NewFs(ctx, at.Remote, place, options)
}
