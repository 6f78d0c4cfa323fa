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
	if c.API != "" {
		u, err := url.Parse(c.API)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
			return c.bad("api", "is "+plaintext.Show(c.API)+", which is no address of a serve", "an address is like http://127.0.0.1:7777")
		}
		c.API = strings.TrimRight(c.API, "/")
	}
	return nil
}
