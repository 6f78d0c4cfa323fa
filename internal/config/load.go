package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// noPath is a separator that no key holds: names with dots stay whole.
const noPath = "\x00"

// loader puts one layer over another.
type loader struct {
	cfg     Config
	cwd     string
	machine string            // the machine's config file
	vars    map[string]string // the environment
}

// machineFile is for all users of a machine.
const machineFile = "/etc/spool/spool.yaml"

// Load reads all layers. flags are those that Bind declared, after parsing;
// other flags in it are passed over. environ is as os.Environ gives it, cwd
// the absolute working folder. Errors are *spool.Error and mean a wrong call.
func Load(flags *pflag.FlagSet, environ []string, cwd string) (Config, error) {
	return load(flags, environ, cwd, machineFile)
}

func load(flags *pflag.FlagSet, environ []string, cwd, machine string) (Config, error) {
	l := loader{cwd: cwd, machine: machine, vars: variables(environ)}
	l.cfg.origin = map[string]string{}
	for _, step := range []func() error{
		l.defaults,
		func() error { return l.files(flags) },
		func() error { return l.environment(environ) },
		func() error { return l.flags(flags) },
		l.folders,
		l.cfg.check,
	} {
		if err := step(); err != nil {
			return Config{}, err
		}
	}
	return l.cfg, nil
}

func variables(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return vars
}

// put sets one value and remembers its origin. base is what relative paths
// are relative to.
func (l *loader) put(s setting, value, origin, base string) error {
	before := l.cfg.origin[s.key]
	l.cfg.origin[s.key] = origin
	if err := s.value(&l.cfg).Set(value); err != nil {
		e := l.cfg.bad(s.key, fmt.Sprintf("is %q; %v", plaintext.Cut(plaintext.Redact(value), 80), err), "")
		l.cfg.origin[s.key] = before
		return e
	}
	isPath := s.path || s.program && strings.ContainsRune(value, filepath.Separator)
	if !isPath || value == "" {
		return nil
	}
	stored := s.key == "to" || s.key == "staging"
	switch {
	case stored && spool.IsRemotePath(value):
		at, err := spool.ParseRemotePath(value)
		if err != nil {
			return err
		}
		return s.value(&l.cfg).Set(at.String())
	case stored && strings.Contains(value, "://"):
		return l.cfg.bad(s.key, "is "+plaintext.Show(value)+", which is not a folder", "name a folder, or NAME:BUCKET/FOLDER with a remote of rclone.conf")
	}
	abs, err := l.absolute(value, base)
	if err != nil {
		return err
	}
	return s.value(&l.cfg).Set(abs)
}

// absolute expands ~/, which no shell does in files and variables.
func (l *loader) absolute(path, base string) (string, error) {
	if rest, found := strings.CutPrefix(path, "~/"); found {
		home, err := l.home()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(base, path), nil
}

func (l *loader) home() (string, error) {
	if home := l.vars["HOME"]; filepath.IsAbs(home) {
		return home, nil
	}
	return "", &spool.Error{
		Class: spool.Permanent, Code: "no-home", Reason: "the environment names no home folder (HOME)",
		Hint: "set HOME, or give whole paths with --state and --work",
	}
}

func (l *loader) defaults() error {
	for _, s := range settings {
		if s.usual == "" {
			continue
		}
		if err := l.put(s, s.usual, "", l.cwd); err != nil {
			return err
		}
	}
	return nil
}

// files reads the named file, or the machine's, over it the user's, and over
// that the working folder's.
func (l *loader) files(flags *pflag.FlagSet) error {
	named, origin := l.vars["SPOOL_CONFIG"], "SPOOL_CONFIG"
	if f := flags.Lookup("config"); f != nil && f.Changed {
		named, origin = f.Value.String(), "--config"
	}
	if named != "" {
		path, err := l.absolute(named, l.cwd)
		if err != nil {
			return err
		}
		found, err := l.file(path, true)
		if err == nil && !found {
			return &spool.Error{
				Class: spool.Permanent, Code: "no-config", Reason: fmt.Sprintf("%s names %s, which is not there", origin, plaintext.Sanitize(path)),
				Hint: "correct the path, or leave it out: spool.yaml is found where it usually lies",
			}
		}
		return err
	}
	user := l.userFile()
	for _, path := range []string{l.machine, user} {
		if path == "" {
			continue
		}
		if _, err := l.file(path, true); err != nil {
			return err
		}
	}
	if here := filepath.Join(l.cwd, "spool.yaml"); here != user && here != l.machine {
		_, err := l.file(here, false)
		return err
	}
	return nil
}

func (l *loader) userFile() string {
	dir := l.vars["XDG_CONFIG_HOME"]
	if !filepath.IsAbs(dir) {
		home, err := l.home()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "spool", "spool.yaml")
}

// file lays one file over what there is. A file that somebody left in the
// working folder is not trusted to name programs, nor to open the network.
func (l *loader) file(path string, trusted bool) (found bool, err error) {
	k := koanf.New(noPath)
	err = k.Load(file.Provider(path), yaml.Parser())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, unreadable(path, err)
	}
	raw := k.Raw()
	for _, key := range sortedKeys(raw) {
		if err := l.fileKey(key, raw[key], path, trusted); err != nil {
			return true, err
		}
	}
	return true, nil
}

// unreadable is the error of a file that is there.
func unreadable(path string, err error) *spool.Error {
	subject := "the config file " + plaintext.Sanitize(path)
	if _, cause := os.ReadFile(path); cause != nil {
		return &spool.Error{
			Class: spool.Permanent, Code: "no-config", Err: cause,
			Reason: subject + " cannot be read", Hint: "permit reading it, or name another file with --config",
		}
	}
	return &spool.Error{
		Class: spool.Permanent, Code: "bad-config",
		Reason: subject + " is not valid YAML with a key: value a line (" + plaintext.Complaint(err) + ")",
		Hint:   "put text with : or # in it in quotes, and indent with spaces; with spool config schema, an editor checks it",
	}
}

func (l *loader) fileKey(key string, value any, path string, trusted bool) error {
	switch key {
	case "ladders":
		return l.ladders(value, path)
	case "remotes":
		if !trusted {
			return l.untrusted("remotes", "program-in-folder", "names what may name a program", path)
		}
		return l.remotes(value, path)
	}
	s, found := find(key)
	switch {
	case !found || s.key == "config":
		return unknown(fmt.Sprintf("the key %q in %s", plaintext.Cut(key, 40), plaintext.Sanitize(path)), key, fileKeys())
	case value == nil:
		return nil
	case s.guard && !trusted:
		return l.untrusted(s.key, "guard-in-folder", "says what may be fetched from", path)
	case s.program && !trusted:
		return l.untrusted(s.key, "program-in-folder", "names a program", path)
	}
	text, ok := scalar(value)
	if !ok {
		l.cfg.origin[s.key] = path
		return l.cfg.bad(s.key, "is neither a value nor a list of values", "")
	}
	return l.put(s, text, path, filepath.Dir(path))
}

// untrusted refuses what only a person may say, in words of what it does.
func (l *loader) untrusted(key, code, does, path string) *spool.Error {
	hint := fmt.Sprintf("write it into %s, or name this file with --config", plaintext.Sanitize(l.userFile()))
	if s, flag := find(key); flag {
		hint = fmt.Sprintf("set it with --%s, with %s, in %s, or name this file with --config", s.key, s.env(), plaintext.Sanitize(l.userFile()))
	}
	return &spool.Error{
		Class: spool.Permanent, Code: code, Hint: hint,
		Reason: fmt.Sprintf("%s %s (%s), which a spool.yaml found in the working folder may not", plaintext.Sanitize(path), does, key),
	}
}

// scalar is a YAML value as it would be typed; a list is joined by commas.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		return "", false
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			part, ok := scalar(item)
			if _, nested := item.([]any); nested || !ok {
				return "", false
			}
			parts[i] = part
		}
		return strings.Join(parts, ","), true
	}
	return fmt.Sprint(value), true
}

func unknown(subject, key string, known []string) *spool.Error {
	e := &spool.Error{Class: spool.Permanent, Code: "unknown-setting", Reason: subject + " is not a setting", Hint: "spool config schema says what may stand there"}
	if near := spelling.Nearest(strings.ReplaceAll(strings.ToLower(key), "_", "-"), known); near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return e
}

// environment lays SPOOL_… over the files. An unknown name may be somebody
// else's (a container's links are called so): it is a note, and only when it
// looks like a slip.
func (l *loader) environment(environ []string) error {
	k := koanf.New(noPath)
	provider := env.Provider(noPath, env.Opt{Prefix: "SPOOL_", EnvironFunc: func() []string { return environ }})
	if err := k.Load(provider, nil); err != nil {
		return &spool.Error{Class: spool.Permanent, Code: "bad-environment", Reason: "the environment cannot be read", Err: err}
	}
	raw := k.Raw()
	for _, name := range sortedKeys(raw) {
		value, _ := raw[name].(string)
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "SPOOL_")), "_", "-")
		s, found := find(key)
		if !found {
			l.noteSlip(name, key)
			continue
		}
		if value == "" {
			continue
		}
		if err := l.put(s, value, name, l.cwd); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) noteSlip(name, key string) {
	if near := spelling.Nearest(key, Keys()); near != "" {
		s, _ := find(near)
		l.cfg.Notes = append(l.cfg.Notes, fmt.Sprintf("%s is not a setting; did you mean %s?", plaintext.Sanitize(name), s.env()))
	}
}

func (l *loader) flags(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		s, found := find(f.Name)
		if found && err == nil {
			err = l.put(s, f.Value.String(), "--"+s.key, l.cwd)
		}
	})
	return err
}

// folders fills in where state and scratch of this destination lie. A scratch
// folder that was given may hold other things, or scratch of another
// destination, so that it gets a folder of its own in there, too: what it does
// not know in its own folder it removes. Its name is not the state's, since one
// folder may be given for both.
func (l *loader) folders() error {
	name := folderName(l.cfg.To)
	scratch := name + ".scratch"
	if l.cfg.Work != "" {
		l.cfg.Work = filepath.Join(l.cfg.Work, scratch)
	}
	for _, f := range []struct {
		to                *string
		xdg, ofHome, name string
	}{
		{&l.cfg.State, "XDG_STATE_HOME", ".local/state", name},
		{&l.cfg.Work, "XDG_CACHE_HOME", ".cache", scratch},
	} {
		if *f.to != "" {
			continue
		}
		dir := l.vars[f.xdg]
		if !filepath.IsAbs(dir) {
			home, err := l.home()
			if err != nil {
				return err
			}
			dir = filepath.Join(home, f.ofHome)
		}
		*f.to = filepath.Join(dir, "spool", f.name)
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
