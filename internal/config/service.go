package config

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// checkService looks at the settings of serve, and of who asks one.
func (c *Config) checkService() error {
	if c.HTTP != "off" {
		if _, _, err := net.SplitHostPort(c.HTTP); err != nil {
			return c.bad("http", "is "+plaintext.Cut(plaintext.Sanitize(c.HTTP), 80)+", which is no address", "an address is like 127.0.0.1:7777, or off")
		}
	}
	if c.Metrics != "" {
		if _, _, err := net.SplitHostPort(c.Metrics); err != nil {
			return c.bad("metrics", "is "+plaintext.Cut(plaintext.Sanitize(c.Metrics), 80)+", which is no address", "an address is like 127.0.0.1:9464, or :9464 for all of this machine's")
		}
	}
	for _, place := range c.AllowSource {
		switch {
		case filepath.IsAbs(place):
		case spool.IsRemotePath(place) && strings.HasSuffix(place, ":"):
		case spool.IsRemotePath(place):
			if _, err := spool.ParseRemotePath(place); err != nil {
				return err
			}
		default:
			return c.bad("allow-source", "names "+plaintext.Cut(plaintext.Sanitize(place), 80)+", which is no whole path", "name folders as /mnt/nas/incoming, or nas:incoming")
		}
	}
	switch scheme, _, _ := strings.Cut(c.Ledger, ":"); {
	case scheme != "sqlite":
		return c.bad("ledger", "is "+plaintext.Show(c.Ledger)+", and ledgers are kept in SQLite only", "leave it out; --state chooses the folder")
	case c.Ledger != "sqlite:":
		return c.bad("ledger", "is "+plaintext.Show(c.Ledger)+", and the file is always ledger.db in the state folder", "write sqlite:, and choose the folder with --state")
	case c.Listen != "" && c.Queue != "":
		return c.bad("listen", "and a queue's URL are given, and there is one queue only", "give --listen for a queue in this process, or --queue for another's")
	case c.Slots == "none" && c.Listen == "" && c.Queue == "":
		return c.bad("slots", "is none, and there is no queue by which anybody else could work", "add --listen ADDR, or --queue URL")
	}
	if !validName(c.Name) {
		return c.bad("name", "is "+plaintext.Cut(plaintext.Sanitize(c.Name), 80)+", which is no name of a worker", "a name has letters, digits, - and _, 64 at most")
	}
	if c.API != "" {
		u, err := url.Parse(c.API)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
			return c.bad("api", "is "+plaintext.Show(c.API)+", which is no address of a serve", "an address is like http://127.0.0.1:7777")
		}
		c.API = strings.TrimRight(c.API, "/")
	}
	return nil
}

// validName: a worker's name stands in a topic of the queue; "" is none.
func validName(name string) bool {
	return len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}
