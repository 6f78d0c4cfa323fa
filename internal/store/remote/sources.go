package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	rclone "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// Sources reads files in the user's stores. As an http.RoundTripper it answers
// http://REMOTE/PATH with the file REMOTE:PATH, by ranges and with an ETag, so
// that a file in a store is downloaded as one of a web server is: resumed,
// and read while it arrives. The zero value with Remotes is ready; Close it.
type Sources struct {
	Remotes func() (Remotes, error)

	mu      sync.Mutex
	folders map[spool.RemotePath]*Store // those that were read from; guarded by mu
}

// File is a file in a store.
type File struct {
	At    spool.RemotePath
	Stamp spool.SourceStamp
}

// Close gives the connections back.
func (s *Sources) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, folder := range s.folders {
		errs = append(errs, folder.Close())
	}
	s.folders = nil
	return errors.Join(errs...)
}

// Look finds what lies at a place: one file, or all that is below a folder or
// in a bucket. Nothing at all is no error.
func (s *Sources) Look(ctx context.Context, at spool.RemotePath) (files []File, folder bool, err error) {
	whole, err := s.bucket(at)
	if err != nil {
		return nil, false, err
	}
	if whole {
		in, err := s.open(ctx, at)
		if err != nil {
			return nil, false, err
		}
		files, err = in.files(ctx, "")
		return files, true, err
	}
	in, name, err := s.folder(ctx, at)
	if err != nil {
		return nil, false, err
	}
	o, tag, err := in.seen(ctx, name)
	if err == nil && !in.listed(ctx, o) {
		return []File{{at, spool.SourceStamp{Size: o.Size(), Tag: tag}}}, false, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, err
	}
	if files, err = in.files(ctx, name+"/"); err == nil && len(files) == 0 {
		err = s.reached(ctx, at)
	}
	return files, true, err
}

// listed reports whether what looks like a file is a web server's list of what is
// in a folder: asked for the one, servers give the other.
func (s *Store) listed(ctx context.Context, o rclone.Object) bool {
	about, known := o.(rclone.MimeTyper)
	return known && s.kind.web && s.kind.readOnly && strings.HasPrefix(about.MimeType(ctx), "text/html")
}

// reached looks whether the bucket is there in which nothing was found: of one
// that is not, stores say so of its root alone.
func (s *Sources) reached(ctx context.Context, at spool.RemotePath) error {
	bucket, _, _ := strings.Cut(at.Path, "/")
	whole := spool.RemotePath{Remote: at.Remote, Path: bucket}
	if is, err := s.bucket(whole); err != nil || !is {
		return err
	}
	in, err := s.open(ctx, whole)
	if err != nil {
		return err
	}
	return in.again(ctx, "look at", "", func(ctx context.Context) error {
		f, err := in.live(ctx)
		if err == nil {
			_, err = f.List(ctx, "")
		}
		return err
	})
}

// Head gives the first n bytes of a file, or all that it has.
func (s *Sources) Head(ctx context.Context, at spool.RemotePath, n int64) ([]byte, error) {
	in, name, err := s.folder(ctx, at)
	if err != nil {
		return nil, err
	}
	r, err := in.Open(ctx, name, 0, n)
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(r, n))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, in.problem(ctx, "read", name, err)
	}
	return head, nil
}

// Sum is the checksum that a store has of a file, as "md5:…"; "" when it has
// none, or the file has another stamp than that.
func (s *Sources) Sum(ctx context.Context, at spool.RemotePath, stamp spool.SourceStamp) (string, error) {
	in, name, err := s.folder(ctx, at)
	if err != nil {
		return "", err
	}
	f, err := in.live(ctx)
	if err != nil {
		return "", err
	}
	in.mu.Lock()
	kind := sumOf(f) // rclone finds it out without a lock
	in.mu.Unlock()
	o, tag, err := in.seen(ctx, name)
	if err != nil || kind == hash.None || (spool.SourceStamp{Size: o.Size(), Tag: tag}) != stamp {
		return "", err
	}
	sum, err := o.Hash(ctx, kind)
	if err != nil || sum == "" {
		return "", in.problem(ctx, "sum up", name, err)
	}
	return kind.String() + ":" + sum, nil
}

// bucket reports whether a place is a whole bucket or share, which lies in no
// folder.
func (s *Sources) bucket(at spool.RemotePath) (bool, error) {
	remotes, err := s.Remotes()
	if err != nil {
		return false, err
	}
	info, _, err := remotes.find(at.Remote)
	if err != nil {
		return false, err
	}
	return kinds[info.Name].buckets && !strings.Contains(at.Path, "/"), nil
}

// files are all files whose names begin with prefix.
func (s *Store) files(ctx context.Context, prefix string) (files []File, err error) {
	for o, err := range s.objects(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		at := spool.RemotePath{Remote: s.at.Remote, Path: path.Join(s.at.Path, o.Remote())}
		files = append(files, File{at, spool.SourceStamp{Size: o.Size(), Tag: s.tagOf(ctx, o)}})
	}
	return files, nil
}

// folder gives the folder of a file, and the file's name in it.
func (s *Sources) folder(ctx context.Context, file spool.RemotePath) (*Store, string, error) {
	in, err := s.open(ctx, spool.RemotePath{Remote: file.Remote, Path: strings.TrimPrefix(path.Dir(file.Path), ".")})
	return in, path.Base(file.Path), err
}

// open gives a folder or bucket for reading, each once.
func (s *Sources) open(ctx context.Context, at spool.RemotePath) (*Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.folders[at]; in != nil {
		return in, nil
	}
	in, err := Open(ctx, at, Options{Remotes: s.Remotes, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if s.folders == nil {
		s.folders = map[spool.RemotePath]*Store{}
	}
	s.folders[at] = in
	return in, nil
}

// seen gives a file as it is now, and its ETag.
func (s *Store) seen(ctx context.Context, name string) (o rclone.Object, tag string, err error) {
	err = s.again(ctx, "look at", name, func(ctx context.Context) (err error) {
		if o, err = s.find(ctx, name); err == nil {
			tag = s.tagOf(ctx, o)
		}
		return err
	})
	return o, tag, err
}

// read opens a file that was seen.
func (s *Store) read(ctx context.Context, o rclone.Object, offset, length int64) (r io.ReadCloser, err error) {
	err = s.again(ctx, "open", o.Remote(), func(ctx context.Context) (err error) {
		r, err = open(ctx, o, offset, length)
		return err
	})
	return r, err
}

// ranged reports whether a file can be read from any place on. All stores can
// do that but web servers, some of which give the whole of a file whatever they
// are asked for: what comes from the second byte on must not be the first.
func (s *Store) ranged(ctx context.Context, o rclone.Object) (bool, error) {
	const enough = 64
	if !s.kind.web || o.Size() <= enough {
		return !s.kind.web, nil
	}
	s.mu.Lock()
	known := s.ranges
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	var parts [2][]byte
	for from := range parts {
		r, err := s.read(ctx, o, int64(from), enough)
		if err != nil {
			return false, err
		}
		parts[from] = make([]byte, enough)
		_, err = io.ReadFull(r, parts[from])
		if err = errors.Join(err, r.Close()); err != nil {
			return false, s.problem(ctx, "read", o.Remote(), err)
		}
	}
	can := bytes.Equal(parts[0][1:], parts[1][:enough-1]) && !bytes.Equal(parts[0], parts[1])
	s.mu.Lock()
	s.ranges = &can
	s.mu.Unlock()
	return can, nil
}

// tagOf tells one version of a file from another: by its checksum where the
// store has that at hand, else by size and time.
func (s *Store) tagOf(ctx context.Context, o rclone.Object) string {
	if s.kind.atomicPut {
		if sum, err := o.Hash(ctx, hash.MD5); err == nil && sum != "" {
			return fmt.Sprintf(`"%d-%s"`, o.Size(), sum)
		}
	}
	return fmt.Sprintf(`"%d-%x"`, o.Size(), o.ModTime(ctx).UnixNano())
}

// RoundTrip answers a GET, whole or of one range.
func (s *Sources) RoundTrip(r *http.Request) (*http.Response, error) {
	at := spool.RemotePath{Remote: r.URL.Host, Path: strings.TrimPrefix(r.URL.Path, "/")}
	in, name, err := s.folder(r.Context(), at)
	if err != nil {
		return nil, err
	}
	o, tag, err := in.seen(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "source-missing", Reason: "there is no file " + at.String(),
			Hint: "look whether it was moved or deleted", Err: err,
		}
	}
	if err != nil {
		return nil, err
	}
	size := o.Size()
	if size == 0 {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "empty-file", Reason: "the file " + at.String() + " is empty",
			Hint: "check whether it was copied to its end",
		}
	}
	a := answer200(r, tag, size)
	first, last, part := wanted(r, a.Header.Get("ETag"), size)
	if part {
		if part, err = in.ranged(r.Context(), o); err != nil {
			return nil, err
		}
	}
	switch {
	case !part:
		first = 0
		a.Header.Del("Accept-Ranges")
	case part && first >= size:
		a.StatusCode, a.ContentLength = http.StatusRequestedRangeNotSatisfiable, 0
		a.Header.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return a, nil
	case part:
		a.StatusCode, a.ContentLength = http.StatusPartialContent, last-first+1
		a.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
	}
	a.Body, err = in.read(r.Context(), o, first, a.ContentLength)
	return a, err
}

func answer200(r *http.Request, tag string, size int64) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Etag": {tag}, "Accept-Ranges": {"bytes"}},
		ContentLength: size, Body: http.NoBody,
	}
}

// wanted is the range that a request asks for; part is false when it asks for
// the whole, or for the rest of another version.
func wanted(r *http.Request, tag string, size int64) (first, last int64, part bool) {
	text, asks := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	from, to, _ := strings.Cut(text, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	if of := r.Header.Get("If-Range"); !asks || err != nil || of != "" && of != tag {
		return 0, size - 1, false
	}
	last, err = strconv.ParseInt(to, 10, 64)
	if err != nil || last >= size {
		last = size - 1
	}
	return first, last, true
}
