package fetch

import (
	"net/url"

	"github.com/spool-video/spool"
)

// fromStore makes a file in a store the one to get. Nothing but a file of a
// name that was checked comes to the store.
func (g *get) fromStore() error {
	at, err := spool.ParseRemotePath(g.job.Source)
	if err != nil {
		return err
	}
	if g.stage.Stores == nil {
		return refuse("no-stores", "the source "+at.String()+" lies in a store, and this worker reaches none", "run it where the remote "+at.Remote+" is known")
	}
	g.client, g.url, g.stored = g.stage.Stores, StoreURL(at), true
	return nil
}

// StoreURL is the address at which the client Stores finds a file.
func StoreURL(at spool.RemotePath) string {
	// An absolute path keeps its slash, behind the one that every URL has.
	return (&url.URL{Scheme: "http", Host: at.Remote, Path: "/" + at.Path}).String()
}
