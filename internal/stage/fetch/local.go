package fetch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
)

// local looks at a file that is here already. It is not copied.
func local(path string) (spool.Fetched, error) {
	none := spool.Fetched{}
	abs, err := filepath.Abs(path)
	if err != nil {
		return none, fmt.Errorf("find the local source: %w", err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return none, refuse("no-such-file", fmt.Sprintf("there is no file %q", abs), "check the path; a network folder may not be mounted")
	case errors.Is(err, os.ErrPermission):
		return none, refuse("not-readable", fmt.Sprintf("the file %q may not be read", abs), "give yourself the right to read it")
	case err != nil:
		return none, folderFault("read", filepath.Dir(abs), err)
	case info.IsDir():
		return none, refuse("is-a-folder", fmt.Sprintf("%q is a folder, not a video", abs), "name the files in it, or give the folder to spool run, which takes each of them")
	case !info.Mode().IsRegular():
		return none, refuse("not-a-file", fmt.Sprintf("%q is not a regular file", abs), "give a file that can be read more than once")
	case info.Size() == 0:
		return none, refuse("empty-file", fmt.Sprintf("the file %q is empty", abs), "check whether it was copied to its end")
	}
	if err := checkMedia(abs, fmt.Sprintf("the file %q", abs)); err != nil {
		return none, err
	}
	return spool.Fetched{Path: abs, Size: info.Size(), Subtitles: Beside(abs)}, nil
}

// checkMedia refuses a file that begins as no media file does.
func checkMedia(path, what string) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) {
		return refuse("not-readable", what+" may not be read", "give yourself the right to read it")
	}
	if err != nil {
		return folderFault("read", filepath.Dir(path), err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const enough = 4096
	head, err := io.ReadAll(io.LimitReader(f, enough))
	if err != nil {
		return folderFault("read", filepath.Dir(path), err)
	}
	if is := download.Sniff(head); is != nil {
		e := refuse("not-a-video", fmt.Sprintf("%s is %s, not a video", what, is.Name), "check what the file is")
		e.Err = is
		return e
	}
	return nil
}

func refuse(code, reason, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint}
}
