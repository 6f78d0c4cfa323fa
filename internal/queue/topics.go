package queue

import "github.com/spool-video/spool"

// Topics. Work for a worker goes to WorkTopic of its name.
const (
	ReportTopic = "report" // spool.Report, from workers
	BeatTopic   = "beat"   // spool.Beat, from workers
)

// WorkTopic is where a worker receives its jobs and stops, as Message.
func WorkTopic(worker string) string { return "work." + worker }

// PingTopic is where a scheduler sends messages to itself, to hear whether the
// engine carries any.
func PingTopic(scheduler string) string { return "ping." + scheduler }

// Message is what a worker receives; one field is set.
type Message struct {
	Job      *spool.Job      `json:"job,omitempty"`
	Stop     *spool.Stop     `json:"stop,omitempty"`
	Needs    *spool.Needs    `json:"needs,omitempty"`
	Accepted *spool.Accepted `json:"accepted,omitempty"`
	Refused  *spool.Refused  `json:"refused,omitempty"`
	Drain    bool            `json:"drain,omitempty"` // take no more jobs, and end when the running ones have
}
