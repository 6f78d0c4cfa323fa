package remote

import (
	// The kinds of stores that a remote can be of; each registers itself.
	_ "github.com/rclone/rclone/backend/azureblob"
	_ "github.com/rclone/rclone/backend/b2"
	_ "github.com/rclone/rclone/backend/ftp"
	_ "github.com/rclone/rclone/backend/googlecloudstorage"
	_ "github.com/rclone/rclone/backend/http"
	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/s3"
	_ "github.com/rclone/rclone/backend/sftp"
	_ "github.com/rclone/rclone/backend/smb"
	_ "github.com/rclone/rclone/backend/swift"
	_ "github.com/rclone/rclone/backend/webdav"
)

// kind is what a store of one type does, as far as rclone does not say.
type kind struct {
	// atomicPut: an object is there whole, or not at all, and a new one takes
	// an old one's place in one step.
	atomicPut bool
	// blinks: while a new one takes its place, an object may not be found.
	blinks bool
	// atomicMove: so does a file that is renamed. OpenSSH's sftp does; what
	// shares and WebDAV servers do is between none and all of it.
	atomicMove bool
	readOnly   bool
	// web: it is a web server, which may not know ranges.
	web     bool
	buckets bool // what stands first in a path is a bucket, or a share
	// slash: a path that ends with one is taken for a folder without asking.
	// These take it for a file when that question fails, for whatever reason.
	slash bool
	// usual are options that a remote has unless it says otherwise.
	usual map[string]string
	// fixed are options that Spool sets, whatever the remote says.
	fixed map[string]string
	// unasked are more options with which an object can be opened that nobody
	// asked for before: half as many requests to a store that answers late. Nil:
	// there is no such way.
	unasked map[string]string
}

// kinds are by rclone's names of its backends.
var kinds = map[string]kind{
	// Whether an object arrived is asked here, and for every store the same
	// way; a bucket is never made.
	"s3": {atomicPut: true, buckets: true, slash: true, fixed: map[string]string{
		"no_head": "true", "no_check_bucket": "true",
		"disable_checksum": "true", // or the sum of a large object would be what was said of it, not what it is
	}, usual: map[string]string{
		"upload_cutoff": "5Gi", // no segment goes in parts: a process that is killed leaves none in the bucket
	}, unasked: map[string]string{"no_head_object": "true"}},
	"swift":                {atomicPut: true, blinks: true, buckets: true},
	"b2":                   {atomicPut: true, buckets: true, usual: map[string]string{"upload_cutoff": "4Gi"}}, // as S3's
	"google cloud storage": {atomicPut: true, buckets: true, fixed: map[string]string{"no_check_bucket": "true"}},
	"azureblob":            {atomicPut: true, buckets: true, fixed: map[string]string{"no_check_container": "true"}},
	"local":                {atomicMove: true},
	// A folder's links may lead out of it; what they lead to within is found by
	// itself.
	"sftp":   {atomicMove: true, fixed: map[string]string{"set_modtime": "false", "skip_links": "true"}},
	"smb":    {buckets: true},
	"webdav": {web: true},
	"ftp":    {},
	"http":   {readOnly: true, slash: true, web: true},
}
