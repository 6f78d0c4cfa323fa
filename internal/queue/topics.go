package queue

import (
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// Topics. Work for a worker goes to WorkTopic of its name, a scheduler's signs
// to itself to PingTopic of its own.
const (
	ReportTopic = "report" // spool.Report, from workers
	BeatTopic   = "beat"   // spool.Beat, from workers
	InboxTopic  = "inbox"  // what other programs hand in, as they wrote it
)

const (
	workPrefix = "work."
	pingPrefix = "ping."
)

// WorkTopic is where a worker receives its jobs and stops, as Message.
func WorkTopic(worker string) string { return workPrefix + worker }

// PingTopic is where a scheduler hears itself: what comes there has gone
// through the engine. Two that share an engine have two names.
func PingTopic(scheduler string) string { return pingPrefix + scheduler }

// Brief is how long a message of a topic that is not kept is worth something.
// It is then dropped by the engine, so that beats do not pile up while the
// scheduler is away, nor work for a worker that is gone; the topic itself goes
// a while after its last message.
const Brief = 15 * time.Second

// Kept tells whether the messages of a topic wait until they are acknowledged,
// however long that takes, and outlive a crash of the engine. Beats, pings and
// work do not: the scheduler sends what is still true again.
func Kept(topic string) bool {
	return topic != BeatTopic && !strings.HasPrefix(topic, workPrefix) && !strings.HasPrefix(topic, pingPrefix)
}

// Message is what a worker receives; of the fields after the first one is set.
type Message struct {
	// Session is the one of the worker that a job is for. Who has begun anew
	// since, under the same name, has lost that job, and does not begin it.
	Session  string          `json:"session,omitempty"`
	Job      *spool.Job      `json:"job,omitempty"`
	Stop     *spool.Stop     `json:"stop,omitempty"`
	Needs    *spool.Needs    `json:"needs,omitempty"`
	Accepted *spool.Accepted `json:"accepted,omitempty"`
	Refused  *spool.Refused  `json:"refused,omitempty"`
	Ended    []string        `json:"ended,omitempty"` // videos of which nothing needs to be kept on a worker's disk any more
	Drain    bool            `json:"drain,omitempty"` // take no more jobs, and end when the running ones have
}
