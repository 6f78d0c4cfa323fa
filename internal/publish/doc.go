// Package publish takes finished media files from scratch to the store:
// encrypted, named by their hash, put, confirmed.
//
// A part is what one encode or audio job makes, and a Part is its folder on
// the worker's own disk. It remembers, across crashes, what was made and what
// was published: a part that was made is never made again because an upload
// failed, and a part that was published costs nothing when it is asked for
// twice.
package publish
