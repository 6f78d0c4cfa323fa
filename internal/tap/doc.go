// Package tap is the one way an encoder reads a source that is still arriving.
// A Source knows which bytes of the file are on disk and blocks readers until
// theirs are; what a blocked reader waits for is what the download fetches
// next. A Server gives a source to ffmpeg by a loopback address, and a Movie
// says which bytes of an MP4 file hold which part of its timeline, from its
// moov box alone.
//
// Nothing here starts a process or writes a file. What cannot be foretold
// exactly is ErrUnsupported: then the caller waits for the whole file.
package tap
