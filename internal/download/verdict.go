package download

import (
	"fmt"
	"strings"

	"github.com/spool-video/spool"
)

func (t *transfer) notMedia(is *NotMedia) error {
	kind := "no content type"
	if t.part.ContentType != "" {
		kind = sanitise(t.part.ContentType)
	}
	return &spool.Error{
		Class: spool.Permanent, Code: "not-a-video",
		Reason: fmt.Sprintf("the server sent %s in place of a video (%s)", is.Name, kind),
		Hint:   "open the link in a browser; it may need a login, or lead to a page about the video", Err: is,
	}
}

func (t *transfer) empty() error {
	return &spool.Error{
		Class: spool.Permanent, Code: "empty-file",
		Reason: redact(t.target) + " is empty", Hint: "check the file at the server",
	}
}

// codeTooLarge is that of a file that is larger than it may be.
const codeTooLarge = "too-large"

func (t *transfer) tooLarge() error {
	return &spool.Error{
		Class: spool.Permanent, Code: codeTooLarge,
		Reason: fmt.Sprintf("%s is larger than the limit of %s", redact(t.target), amount(t.client.MaxBytes)),
		Hint:   "raise the limit, or give a smaller file",
	}
}

func (t *transfer) wrongSize(size int64) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "wrong-size",
		Reason: fmt.Sprintf("%s has %d bytes where %d were expected", redact(t.target), size, t.request.Size),
		Hint:   "check the link and the expected size",
	}
}

// at says how far the download is: " at 43 %".
func (t *transfer) at() string {
	switch held, length := t.part.held(), t.part.Length; {
	case held == 0:
		return ""
	case length > 0:
		return fmt.Sprintf(" at %d %%", held*100/length)
	default:
		return " after " + amount(held)
	}
}

func (t *transfer) wrongSum(sum string) error {
	if announced := t.part.SHA256; announced != "" && !strings.EqualFold(announced, sum) {
		return &spool.Error{
			Class: spool.Permanent, Code: "checksum",
			Reason: redact(t.target) + " is not what its server announces: its sha256 is " + sum,
			Hint:   "the file is damaged at its server, or on the way: try again later",
		}
	}
	return &spool.Error{
		Class: spool.Permanent, Code: "checksum",
		Reason: redact(t.target) + " is not the expected file: its sha256 is " + sum,
		Hint:   "check the expected checksum",
	}
}
