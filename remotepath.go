package spool

import (
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// RemotePath is a place in one of the user's stores: the name that its remote
// has in the configuration, and a path in there.
type RemotePath struct {
	Remote, Path string
}

// String is the place as a person types it: "nas:films/one.mp4".
func (r RemotePath) String() string { return r.Remote + ":" + r.Path }

// mostRemotePath is how long a remote path may be, in bytes: object stores
// end at 1024.
const mostRemotePath = 1024

var remoteName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// IsRemotePath reports whether a text has a colon before any slash, as only
// remote paths have; a URL has not. A file of such a name can be written as
// ./name.
func IsRemotePath(text string) bool {
	before, after, found := strings.Cut(text, ":")
	return found && !strings.Contains(before, "/") && !strings.HasPrefix(after, "//")
}

// ParseRemotePath reads NAME:PATH. It refuses everything else that rclone's
// grammar allows: a connection string can name programs to be run, and who
// writes a list of sources is not who owns this machine. Errors are *Error.
func ParseRemotePath(text string) (RemotePath, error) {
	refuse := func(code, what, hint string) (RemotePath, error) {
		return RemotePath{}, &Error{Class: Permanent, Code: code, Reason: "the remote path " + what, Hint: hint}
	}
	const write = "write NAME:PATH, where NAME is a remote of rclone.conf"
	name, place, found := strings.Cut(text, ":")
	switch {
	case !found, len(text) > mostRemotePath, !utf8.ValidString(text):
		return refuse("bad-remote-path", "is not NAME:PATH, or is longer than 1 KB", write)
	case name == "", strings.Contains(name, ","):
		return refuse("connection-string", "is a connection string, which is never taken: it could name programs to run",
			"define the remote in rclone.conf (rclone config does), and "+write)
	case strings.HasPrefix(name, "-") || !remoteName.MatchString(name):
		return refuse("bad-remote-path", "names no remote: a remote's name has letters, digits, - and _", write)
	case strings.ContainsFunc(place, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }):
		return refuse("bad-remote-path", "holds a control character or a backslash", write)
	case strings.HasPrefix(place, "-"):
		return refuse("bad-remote-path", "begins with -, like a flag", write)
	}
	for part := range strings.SplitSeq(place, "/") {
		if part == ".." {
			return refuse("bad-remote-path", "leads out of its folder by ..", "write the path without ..")
		}
	}
	if place = path.Clean(place); place == "." || place == "/" {
		return refuse("bad-remote-path", "names the remote "+name+" and no folder in it", "write "+name+":FOLDER, of an object store "+name+":BUCKET/FOLDER")
	}
	return RemotePath{name, place}, nil
}
