package spool

// Protocol is the version of what scheduler and workers say to each other. A
// worker of another version than the scheduler's is refused.
const Protocol = 1

// Beat is a worker's sign of life: what it is doing, and what it could do. It
// holds no time of day: the clocks of hosts need not agree.
type Beat struct {
	Worker   string `json:"worker"`            // its name; no two workers that live have the same one
	Session  string `json:"session,omitempty"` // another one at every start of the worker
	Serial   int    `json:"serial,omitempty"`  // counts the beats of the session: of two, the one with the smaller serial is the older
	Protocol int    `json:"protocol"`
	Version  string `json:"version,omitempty"` // of the program, for people
	// Class names what its encoders write: workers of one class write the same
	// bytes for the same chunk. "" is a class too.
	Class string `json:"class,omitempty"`
	// Reach are the identities of the stores that it can use: the destination,
	// the remotes of sources ("nas:"), staging, and LocalFiles.
	Reach []string `json:"reach,omitempty"`
	// Holds are the revisions whose source lies on its disk, each as
	// JobKey.Held; nil when it does not say.
	Holds    []string     `json:"holds"`
	Disk     int64        `json:"disk,omitempty"` // bytes free for scratch; 0 = unknown
	Draining bool         `json:"draining,omitempty"`
	Free     map[Kind]int `json:"free"` // how many more jobs of each kind it would take
	Running  []Running    `json:"running"`
}

// LocalFiles is what a worker names in Beat.Reach when it reads the local
// paths of sources as the scheduler's machine does: because it is on it, or
// has the same folders mounted.
const LocalFiles = "file:"

// Held is how Beat.Holds names the source of a job's revision.
func (k JobKey) Held() string { return k.Video + "/" + k.Revision }

// Running is one job in a beat.
type Running struct {
	JobKey
	Epoch    int      `json:"epoch"`
	Progress Progress `json:"progress"`
	// Over: the job has ended, and the worker waits until the scheduler has its
	// report. Nobody else is to begin it meanwhile.
	Over bool `json:"over,omitempty"`
}

// Stop is the scheduler's answer to a beat that names a job which is not the
// worker's any more.
type Stop struct {
	JobKey
	Epoch int `json:"epoch"`
}

// Accepted tells a worker which of its reports are in the ledger, so that it
// need not send them again.
type Accepted struct {
	Session string `json:"session"` // of the worker
	Serials []int  `json:"serials"`
}

// Refused tells a worker that it will get no work, and why, in a sentence.
type Refused struct {
	Session string `json:"session"` // of the worker
	Code    string `json:"code"`    // "version-mismatch", "worker-name-taken"
	Reason  string `json:"reason"`
	Hint    string `json:"hint,omitempty"`
}
