package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// check looks at values that must fit one another.
func (c *Config) check() error {
	if !slices.Contains(c.LadderNames(), c.Ladder) {
		hint := "known are " + strings.Join(c.LadderNames(), ", ")
		if near := spelling.Nearest(c.Ladder, c.LadderNames()); near != "" {
			hint = "did you mean " + near + "?"
		}
		return c.bad("ladder", fmt.Sprintf("is %q, which is not known", plaintext.Cut(c.Ladder, 80)), hint)
	}
	if c.KeyURI != "" {
		if err := c.checkKeyURI(); err != nil {
			return err
		}
	}
	if err := c.checkService(); err != nil {
		return err
	}
	for _, key := range []string{"keys", "state", "work", "download-dir", "token-file", "webhook-secret", "staging"} {
		s, _ := find(key)
		dir := s.value(c).String()
		switch {
		case dir == "":
		case within(c.To, dir):
			return c.bad(key, "is "+plaintext.Sanitize(dir)+", inside the destination, where everyone could read it", "name a folder outside "+plaintext.Sanitize(c.To))
		case key != "work" && within(c.Work, dir):
			return c.bad(key, "is "+plaintext.Sanitize(dir)+", inside the scratch folder, which is cleared", "name a folder outside "+plaintext.Sanitize(c.Work))
		}
	}
	return nil
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

func (c *Config) checkKeyURI() error {
	template := c.KeyURI
	const hint = "a template is like https://example.com/keys/{video}/{key}"
	for _, p := range placeholder.FindAllString(template, -1) {
		if p != "{video}" && p != "{key}" {
			return c.bad("key-uri", fmt.Sprintf("has %q; allowed are {video} and {key}", plaintext.Cut(p, 40)), hint)
		}
	}
	filled := strings.NewReplacer("{video}", "v", "{key}", "k").Replace(template)
	switch {
	case !strings.Contains(template, "{key}"):
		return c.bad("key-uri", "has no {key}, so that all revisions would share one address", hint)
	case strings.ContainsAny(filled, " \"<>\\^`{|}"):
		return c.bad("key-uri", "holds a character that no URI has (a space, a quote, a backslash or a brace)", hint)
	case strings.Contains(filled, "://") && !strings.HasPrefix(filled, "https://") && !strings.HasPrefix(filled, "http://"):
		return c.bad("key-uri", "is neither an http or https URL nor a path", hint)
	}
	return nil
}

var ladderName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// What a rung of a ladder may ask for, and how many a ladder may have. Rates
// are bits per second.
const (
	smallestCRF, largestCRF   = 10, 40
	smallestRate, largestRate = 50_000, 100_000_000
	mostRungs                 = 10
)

// ladders reads the ladders that a file defines: a map of names to lists of
// rungs, each with size, crf and max-rate in kbit/s.
func (l *loader) ladders(value any, path string) error {
	l.cfg.origin["ladders"] = path
	defined, ok := value.(map[string]any)
	if !ok {
		return l.cfg.bad("ladders", "is not a map of ladders", "")
	}
	for _, name := range sortedKeys(defined) {
		shown := plaintext.Cut(plaintext.Sanitize(name), 40)
		if !ladderName.MatchString(name) || name == "default" || name == "classic" {
			return l.cfg.bad("ladders", "has the name "+shown, "a name has small letters, digits and -, and is not default or classic")
		}
		rungs, ok := defined[name].([]any)
		if !ok || len(rungs) == 0 || len(rungs) > mostRungs {
			return l.cfg.bad("ladders", shown+" is not a list of 1 to 10 rungs", "a rung is {size: 360, crf: 23, max-rate: 800}")
		}
		ladder := make(Ladder, 0, len(rungs))
		for _, rung := range rungs {
			r, what := readRung(rung)
			if what != "" {
				return l.cfg.bad("ladders", shown+" has a rung "+what, "a rung is {size: 360, crf: 23, max-rate: 800}, the rate in kbit/s")
			}
			ladder = append(ladder, r)
		}
		slices.SortFunc(ladder, func(a, b LadderRung) int { return a.ShortSide - b.ShortSide })
		if l.cfg.Ladders == nil {
			l.cfg.Ladders = map[string]Ladder{}
		}
		l.cfg.Ladders[name] = ladder
	}
	return nil
}

// remotes reads the stores that a file defines: a map of names to the options
// that rclone.conf would have for them.
func (l *loader) remotes(value any, path string) error {
	l.cfg.origin["remotes"] = path
	const hint = "a remote is like nas: {type: sftp, host: nas.local, user: ann}"
	defined, ok := value.(map[string]any)
	if !ok {
		return l.cfg.bad("remotes", "is not a map of remotes", hint)
	}
	for _, name := range sortedKeys(defined) {
		shown := plaintext.Cut(plaintext.Sanitize(name), 40)
		options, ok := defined[name].(map[string]any)
		if _, err := spool.ParseRemotePath(name + ":x"); err != nil || !ok {
			return l.cfg.bad("remotes", "has "+shown+", which is not a name with options", hint)
		}
		remote := map[string]string{}
		for _, option := range sortedKeys(options) {
			text, ok := scalar(options[option])
			if !ok {
				return l.cfg.bad("remotes", shown+" has an option that is neither a value nor a list", hint)
			}
			remote[option] = text
		}
		if l.cfg.Remotes == nil {
			l.cfg.Remotes = map[string]map[string]string{}
		}
		l.cfg.Remotes[name] = remote
	}
	return nil
}

// readRung reads one rung; what is wrong with it, or "".
func readRung(value any) (r LadderRung, what string) {
	fields, ok := value.(map[string]any)
	if !ok {
		return r, "that is not a map"
	}
	for _, key := range sortedKeys(fields) {
		n, err := strconv.Atoi(fmt.Sprint(fields[key]))
		switch {
		case err != nil:
			return r, fmt.Sprintf("whose %q is not a number", plaintext.Cut(key, 40))
		case key == "size":
			r.ShortSide = n
		case key == "crf":
			r.CRF = n
		case key == "max-rate":
			r.MaxRate = n * 1000
		default:
			near := spelling.Nearest(key, []string{"size", "crf", "max-rate"})
			if near != "" {
				near = "; did you mean " + near + "?"
			}
			return r, fmt.Sprintf("with the key %q%s", plaintext.Cut(key, 40), near)
		}
	}
	switch {
	case r.ShortSide < smallestSide || r.ShortSide > largestSide || r.ShortSide%2 != 0:
		return r, "whose size is not an even number from 64 to 4320"
	case r.CRF < smallestCRF || r.CRF > largestCRF:
		return r, "whose crf is not from 10 to 40"
	case r.MaxRate < smallestRate || r.MaxRate > largestRate:
		return r, "whose max-rate is not from 50 to 100000"
	}
	return r, ""
}
