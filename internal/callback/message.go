package callback

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
)

// Version is the version of Message.
const Version = 1

// Message is what a callback gets, as JSON. The same notice always makes the
// same bytes.
type Message struct {
	V         int       `json:"v"`
	Type      string    `json:"type"`      // "video.ready" or "video.failed"
	Timestamp time.Time `json:"timestamp"` // when it happened
	Data      Data      `json:"data"`
}

// Data is what became of a video.
type Data struct {
	Video    string       `json:"video"` // its ID
	Title    string       `json:"title,omitempty"`
	Source   string       `json:"source"` // without secrets
	Status   spool.Status `json:"status"`
	Revision string       `json:"revision,omitempty"`
	// Path is the master playlist below the destination, and Master where it
	// lies as a person would open it; both are there when something is
	// published, be it of an earlier revision.
	Path    string         `json:"path,omitempty"`
	Master  string         `json:"master,omitempty"`
	Sizes   []string       `json:"sizes,omitempty"`
	Failure *spool.Failure `json:"failure,omitempty"`
}

// mostReason bounds a text of a message, in cells: bodies stay below 20 kB.
const mostReason = 2000

// Event names what a notice tells: the type of its message.
func Event(n ledger.Notice) string { return "video." + string(n.Video.Status) }

// body is a notice as it is sent.
func (s *Sender) body(n ledger.Notice) ([]byte, error) {
	v := n.Video
	m := Message{V: Version, Type: Event(n), Timestamp: v.Changed.UTC(), Data: Data{
		Video: v.ID, Title: short(v.Title), Source: short(plaintext.Redact(v.Canonical)), Status: v.Status, Revision: v.Revision, Sizes: v.Sizes,
	}}
	if v.Published != "" {
		m.Data.Path, m.Data.Master = v.ID+"/master.m3u8", s.Master(v.ID)
	}
	if f := v.Failure; f != nil && v.Status == spool.Failed {
		m.Data.Failure = &spool.Failure{Class: f.Class, Code: f.Code, Reason: short(f.Reason), Hint: short(f.Hint)}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("message about %s: %w", v.ID, err)
	}
	return body, nil
}

func short(text string) string { return plaintext.Cut(plaintext.Sanitize(text), mostReason) }
