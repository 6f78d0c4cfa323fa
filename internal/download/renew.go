package download

import (
	"context"

	"github.com/spool-video/spool"
)

// maxRenewals is how many links in a row may be refused, without real progress
// between them, before we believe that the file is not to be had.
const maxRenewals = 3

// renewable: a link that has expired may be replaced by another one.
func (t *transfer) renewable() bool {
	return t.request.Renew != nil && t.renewals < maxRenewals
}

// renew gets another link to the file. No connection is open meanwhile, so
// that nobody else reads what it changes.
func (t *transfer) renew(ctx context.Context) error {
	t.renewals++
	link, err := t.request.Renew(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	target, err := t.client.parse(link.URL)
	if err != nil {
		return err
	}
	t.target, t.request.Header = target, link.Header
	return nil
}

// expired: a connection beside the main one was told that the link has
// expired. It is renewed at once, because somebody waits, but not again and
// again: the server may refuse a second connection for another reason.
func (a *aside) expired(err error) bool {
	if spool.AsError(err).Code != codeExpired || a.refused || !a.transfer.renewable() {
		return false
	}
	a.refused = true
	return true
}
