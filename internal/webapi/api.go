// Package webapi is a running serve over HTTP: what programs, and the commands of
// its own machine, may ask of it. The handler is typed, so that its OpenAPI
// document (/openapi.json) is right by construction; the client is what the
// commands use.
package webapi

import (
	"context"
	"errors"
	"time"

	"github.com/spool-video/spool"
)

// Submission is a source that somebody hands in.
type Submission struct {
	Source string `json:"source" minLength:"1" maxLength:"8192" doc:"a link, a web page, or what the operator allows of files and stores" example:"https://example.com/films/cars.mp4"`
	ID     string `json:"id,omitempty" maxLength:"64" doc:"names the video; one is made when there is none"`
	Title  string `json:"title,omitempty" maxLength:"1024"`
	Ladder string `json:"ladder,omitempty" maxLength:"64" doc:"one of the operator's ladders"`
	// Priority is 0 for most; videos of a higher one are worked on first.
	Priority int    `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"0 for most; videos of a higher one are worked on first"`
	Callback string `json:"callback,omitempty" maxLength:"2048" doc:"an http or https URL that is told when the video is ready or has failed" example:"https://example.com/hooks/spool"`
}

// Taken is what became of a submission, or of one video of it: a playlist or a
// folder is many.
type Taken struct {
	Verdict string   `json:"verdict" enum:"accepted,known,again,refused,duplicate"`
	Source  string   `json:"source,omitempty" doc:"as it was given, without secrets"`
	Video   *Video   `json:"video,omitempty"`
	Problem *Problem `json:"problem,omitempty" doc:"of what was refused"`
}

// The verdicts.
const (
	Accepted  = "accepted"  // it is new
	Known     = "known"     // it was there, and stays as it is
	Again     = "again"     // it was there, its source has changed, and a new revision is made
	Refused   = "refused"   // Problem says why
	Duplicate = "duplicate" // of another one of the same request
)

// Video is a video as it is shown: without what may be secret of its source.
type Video struct {
	spool.Video
	Source    string   `json:"source"`
	Why       string   `json:"why,omitempty" doc:"what it does or waits for"`
	Master    string   `json:"master,omitempty" doc:"where its master playlist lies"`
	Callbacks []string `json:"callbacks,omitempty" doc:"who is told how it ends, without secrets"`
	Early     string   `json:"early,omitempty" doc:"where it can be watched while it is made"`
}

// Detail is a video with its jobs.
type Detail struct {
	Video
	Sound     []string          `json:"sound,omitempty" doc:"its sound tracks, in words"`
	Subtitles []string          `json:"subtitles,omitempty" doc:"its subtitles, in words"`
	Jobs      []spool.JobRecord `json:"jobs"`
	// Notices is what its callbacks are still to be told, or could not be.
	Notices []Notice `json:"notices,omitempty" doc:"what its callbacks are still to be told, or could not be"`
	Keys    []string `json:"keys,omitempty" doc:"the IDs of the keys of what is published, in the order of its segments"`
}

// Notice is a message to a callback that was not delivered.
type Notice struct {
	ID       string    `json:"id" doc:"its webhook-id"`
	Event    string    `json:"event" example:"video.ready"`
	Callback string    `json:"callback" doc:"without secrets"`
	Attempts int       `json:"attempts"`
	Last     string    `json:"last,omitempty" doc:"what came of the last try"`
	Next     time.Time `json:"next,omitzero" doc:"when it is tried again"`
	GivenUp  bool      `json:"givenUp,omitempty"`
}

// Page is some videos, in the order in which they were accepted.
type Page struct {
	Videos []Video `json:"videos"`
	Next   string  `json:"next,omitempty" doc:"the value of after that gives the next page; absent on the last one"`
}

// Query selects videos.
type Query struct {
	Statuses []spool.Status
	Causes   []string // codes of failures
	After    string   // an ID
	Limit    int      // 1 to 1000
}

// Removal says what a removal leaves in place.
type Removal struct {
	KeepPublished, KeepKeys bool
}

// Worker is a worker as the scheduler knows it.
type Worker struct {
	Name    string             `json:"name"`
	Version string             `json:"version,omitempty"`
	State   string             `json:"state" enum:"working,idle,draining,lost,refused"`
	Why     string             `json:"why,omitempty" doc:"it is refused"`
	Running int                `json:"running" doc:"jobs that it does now"`
	Free    map[spool.Kind]int `json:"free" doc:"how many more jobs of each kind it would take"`
	Holds   int                `json:"holds" doc:"sources that lie on its disk"`
	Disk    int64              `json:"disk,omitempty" doc:"bytes that are free there"`
	Silent  float64            `json:"silent" doc:"seconds since its last sign of life"`
}

// Workers are those that a scheduler knows.
type Workers struct {
	Workers []Worker `json:"workers"`
}

// Desk does what is asked for. Its errors are *spool.Error; those that wrap
// ErrNotFound and ErrConflict are told as such.
type Desk interface {
	// Add takes sources in: several answers for one that is a playlist or a
	// folder. What is accepted when it returns survives a power cut.
	Add(ctx context.Context, all []Submission) ([]Taken, error)
	List(ctx context.Context, q Query) (Page, error)
	Get(ctx context.Context, id string) (Detail, error)
	Retry(ctx context.Context, id string) (Video, error)
	Cancel(ctx context.Context, id string) (Video, error)
	Remove(ctx context.Context, id string, r Removal) error
	Workers(ctx context.Context) (Workers, error)
	// Drain gives a worker nothing more, and has it end when its jobs have.
	Drain(ctx context.Context, worker string) error
	// Key gives a content key, 16 bytes.
	Key(ctx context.Context, video, key string) ([]byte, error)
}

// What an error of a Desk may wrap.
var (
	ErrNotFound = errors.New("there is no such thing")
	ErrConflict = errors.New("it is not so that this could be done")
)
