package memq

import "time"

// NewBrief makes an engine that keeps briefly what is not kept.
func NewBrief(brief time.Duration) *Queue {
	q := New()
	q.brief = brief
	return q
}
