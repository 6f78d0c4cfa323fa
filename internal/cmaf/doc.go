// Package cmaf reads the fragmented MP4 that an encoder writes to a pipe and
// writes the init sections and segments that are published.
//
// Nothing of an encoder's own container survives but sample data and the
// codec configuration: times, sequence numbers and boxes are written from the
// grid, so that every worker makes the same bytes around the same pictures.
// Video has a version-1 trun with negative composition offsets and no edit
// list; audio has one edit-list entry whose media time is the priming.
package cmaf
