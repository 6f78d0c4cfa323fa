// Package store is the contract of a bucket or a folder that is used as one.
//
// Names are slash-separated, relative, without empty, "." or ".." elements;
// implementations refuse others. Errors that mean "the store is away, full,
// read-only or overloaded" are spool.Error values of class Environment; a refused name or a
// foreign object in the way is Permanent; everything else is Transient.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// ErrNotFound is wrapped by the errors of Open and Stat for a name that is
// not there.
var ErrNotFound = errors.New("not in the store")

// Store keeps named objects. It is safe for concurrent use.
type Store interface {
	// Put writes an object whole, or leaves what was there (see Properties);
	// without AtomicPut a Put that breaks off may lose what was there, but
	// leaves no part; the end of ctx alone never makes it lose anything. It
	// reads body from its start, wherever it stands. When it returns nil the
	// bytes are durable: a power cut does not lose them, as far as the store
	// can promise.
	Put(ctx context.Context, name string, body io.ReadSeeker, o PutOptions) error
	// Open reads length bytes from offset; length < 0 means to the end. Past
	// the end there is nothing to read, and that is no error.
	Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)
	// Stat tells size and time of one object.
	Stat(ctx context.Context, name string) (Info, error)
	// List yields every object whose name begins with prefix, in no order. An
	// error is the last thing that it yields. A prefix that no name can begin
	// with yields nothing.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Properties states what this store can do.
	Properties() Properties
}

// PutOptions are the headers an object is served with.
type PutOptions struct {
	ContentType  string
	CacheControl string
}

// Info is what a store knows of an object.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Properties are what a store states of itself.
type Properties struct {
	// Address is the store as a person names it: an absolute path, a URL.
	Address string
	// AtomicPut: a reader sees the old object or the new one, never a part.
	AtomicPut bool
	// Checksum: Put itself compares a checksum of the stored bytes. Otherwise
	// the caller reads back.
	Checksum bool
}

// CheckName refuses names that could leave the store or that differ between
// stores.
func CheckName(name string) error {
	if name == "" || name != path.Clean(name) || strings.HasPrefix(name, "/") ||
		name == "." || name == ".." || strings.HasPrefix(name, "../") ||
		strings.ContainsAny(name, "\x00\\\r\n") {
		return &spool.Error{
			Class: spool.Permanent, Code: "bad-object-name",
			Reason: "the object name " + strings.ToValidUTF8(name, "?") + " is not a plain relative path",
		}
	}
	return nil
}
