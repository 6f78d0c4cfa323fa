package ledger

import (
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// Notice is a message about the end of a video that is to reach one of its
// Callbacks. It is there from the transaction in which the video ended until
// it was delivered, and outlives the video: what has happened has happened.
type Notice struct {
	ID       string // stays the same, however often it is sent
	Callback string // a URL; may hold secrets
	Video    spool.Video
	Began    time.Time // when it was first tried; zero: it was not
	Attempts int
	Next     time.Time // not to be tried before
	Last     string    // what came of the last try, for a person; "" before the first
	GivenUp  bool      // it is kept for who wants to know, and not tried any more
}

// Host is where a notice goes, as hosts are compared.
func (n Notice) Host() string {
	u, err := url.Parse(n.Callback)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// LongestPutOff bounds how long a notice is put off: one that is put off for
// longer was put off by a clock that was ahead, and is due.
const LongestPutOff = 48 * time.Hour

// Due reports whether a notice is to be tried at a time.
func (n Notice) Due(at time.Time) bool {
	return !n.GivenUp && (!n.Next.After(at) || n.Next.After(at.Add(LongestPutOff)))
}

// NoticeAsk selects notices; the zero value selects all.
type NoticeAsk struct {
	Due    time.Time // only those that are to be tried at this time
	Except []string  // none of these hosts
	Video  string    // only of this video
	Limit  int       // how many at most; 0 = all
}

// Ended gives the notices that a change of a video makes: one for each of its
// callbacks when it has become ready or failed, and one for a callback that
// was added after that. before is the zero value when the video is new.
func Ended(before, after spool.Video) []Notice {
	if after.Status != spool.Ready && after.Status != spool.Failed {
		return nil
	}
	var notices []Notice
	for _, c := range after.Callbacks {
		if before.Status == after.Status && slices.Contains(before.Callbacks, c) {
			continue
		}
		notices = append(notices, Notice{ID: "msg_" + rand.Text(), Callback: c, Video: after})
	}
	return notices
}
