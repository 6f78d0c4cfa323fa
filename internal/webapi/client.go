package webapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Client asks a serve. It is a Desk, but for keys.
type Client struct {
	URL   string // "http://127.0.0.1:7777"
	Token Token
}

// perRequest bounds one request. To take in a page takes as long as to ask its
// website; to remove a video, as long as to delete its objects.
const perRequest = 15 * time.Minute

// Add hands sources in, as many at a time as a request may hold.
func (c *Client) Add(ctx context.Context, all []Submission) ([]Taken, error) {
	var taken []Taken
	for len(all) > 0 {
		n := min(len(all), mostVideos)
		var answer struct {
			Videos []Taken `json:"videos"`
		}
		err := c.do(ctx, question{http.MethodPost, "/batch", nil}, map[string]any{"videos": all[:n]}, &answer)
		if err != nil {
			return taken, err
		}
		taken = append(taken, answer.Videos...)
		all = all[n:]
	}
	return taken, nil
}

// List gives a page of videos.
func (c *Client) List(ctx context.Context, q Query) (Page, error) {
	query := url.Values{"cause": q.Causes}
	for _, s := range q.Statuses {
		query.Add("status", string(s))
	}
	if q.After != "" {
		query.Set("after", q.After)
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var p Page
	return p, c.do(ctx, question{http.MethodGet, "/videos", query}, nil, &p)
}

// Get gives all that is known of a video.
func (c *Client) Get(ctx context.Context, id string) (Detail, error) {
	var d Detail
	return d, c.do(ctx, question{http.MethodGet, "/videos/" + url.PathEscape(id), nil}, nil, &d)
}

// Retry lets a video go on.
func (c *Client) Retry(ctx context.Context, id string) (Video, error) {
	var v Video
	return v, c.do(ctx, question{http.MethodPost, "/videos/" + url.PathEscape(id) + "/retry", nil}, nil, &v)
}

// Cancel stops working on a video.
func (c *Client) Cancel(ctx context.Context, id string) (Video, error) {
	var v Video
	return v, c.do(ctx, question{http.MethodPost, "/videos/" + url.PathEscape(id) + "/cancel", nil}, nil, &v)
}

// Remove unpublishes a video and forgets it.
func (c *Client) Remove(ctx context.Context, id string, r Removal) error {
	query := url.Values{}
	if r.KeepPublished {
		query.Set("keepPublished", "true")
	}
	if r.KeepKeys {
		query.Set("keepKeys", "true")
	}
	return c.do(ctx, question{http.MethodDelete, "/videos/" + url.PathEscape(id), query}, nil, nil)
}

// Workers gives the workers.
func (c *Client) Workers(ctx context.Context) (Workers, error) {
	var w Workers
	return w, c.do(ctx, question{http.MethodGet, "/workers", nil}, nil, &w)
}

// Drain gives a worker nothing more.
func (c *Client) Drain(ctx context.Context, worker string) error {
	return c.do(ctx, question{http.MethodPost, "/workers/" + url.PathEscape(worker) + "/drain", nil}, nil, nil)
}

// question is what one request asks for, below /api/v1.
type question struct {
	method, path string
	query        url.Values
}

// starting is how long a serve that has just been started is waited for.
const starting = 30 * time.Second

// do asks, and again while the serve is starting. Errors are *spool.Error: the serve's own, or that it does not
// answer.
func (c *Client) do(ctx context.Context, q question, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, perRequest)
	defer cancel()
	var sent []byte
	if in != nil {
		var err error
		if sent, err = json.Marshal(in); err != nil {
			return fmt.Errorf("ask %s: %w", q.path, err)
		}
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for late := time.After(starting); ; {
		err := c.once(ctx, q, sent, out)
		if e := spool.AsError(err); err == nil || e.Code != CodeStarting {
			return err
		}
		select {
		case <-again.C:
		case <-late:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// CodeStarting is the code of a serve that is going to answer in a moment.
const CodeStarting = "starting"

func (c *Client) once(ctx context.Context, q question, sent []byte, out any) error {
	address := c.URL + "/api/v1" + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(sent))
	if err != nil {
		return c.unanswered(err)
	}
	r.Header.Set("Authorization", "Bearer "+string(c.Token))
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return c.unanswered(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		var p Problem
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil || p.Code == "" {
			return c.unanswered(fmt.Errorf("status %s", res.Status))
		}
		return p.Failure()
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return c.unanswered(err)
	}
	return nil
}

func (c *Client) unanswered(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which is told already
	}
	return &spool.Error{
		Class: spool.Environment, Code: "no-answer", Err: err,
		Reason: "no serve of Spool answers at " + plaintext.Show(c.URL),
		Hint:   "look whether spool serve runs there, and at the address",
	}
}
