package queue

import "github.com/spool-video/spool"

// Topics. Work for a worker goes to WorkTopic of its name.
const (
	ReportTopic = "report" // spool.Report, from workers
	BeatTopic   = "beat"   // spool.Beat, from workers
)

// WorkTopic is where a worker receives its jobs and stops, as Message.
func WorkTopic(worker string) string { return "work." + worker }

// Message is what a worker receives: a job to do, or one to stop.
type Message struct {
	Job   *spool.Job   `json:"job,omitempty"`
	Stop  *spool.Stop  `json:"stop,omitempty"`
	Needs *spool.Needs `json:"needs,omitempty"`
}
