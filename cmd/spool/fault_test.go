package main

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A first signal lets running jobs end; the run says how to go on, nobody is
// blamed, and the next run does the rest.
func TestFirstSignalDrains(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		h := newHome(t)
		h.gate(t)
		c := h.start(t, "run", "film.mp4")
		h.held(t, c)
		c.signal(t, s)
		c.await(t, `To go on later: spool run --to \S*bucket\n`)
		h.open(t)
		c.end(t, exitInterrupted)
		h.blameless(t)
		if found, _ := filepath.Glob(h.path("bucket", "*", "master.m3u8")); len(found) > 0 {
			t.Errorf("a drained run has published %v", found)
		}
		h.do(t, exitReady, "run")
		h.good(t, 1)
	}
}

// A second signal, or the end of the grace time, stops what runs.
func TestSecondSignalStops(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"second signal": {"--grace", "10m"}, "grace": {"--grace", "200ms"}} {
		h := newHome(t)
		h.gate(t)
		c := h.start(t, append([]string{"run", "film.mp4"}, args...)...)
		h.held(t, c)
		c.signal(t, os.Interrupt)
		c.await(t, "press Ctrl-C again")
		if name == "second signal" {
			c.signal(t, os.Interrupt)
		}
		c.end(t, exitInterrupted)
		h.blameless(t)
		if left := marked(h.path("state")); len(left) > 0 {
			t.Errorf("%s: left running: %v", name, left)
		}
		h.open(t)
		h.do(t, exitReady, "run")
		h.good(t, 1)
	}
}

// The terminal is gone: nothing of the run stays behind.
func TestHangUpLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.stub(t, `case $PWD in */encode-00001) : > $home/held; [ -e $home/open ] || exec sleep 600;; esac`)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	c.signal(t, syscall.SIGHUP)
	<-c.ended
	gone := time.After(patient)
	for look := time.Tick(10 * time.Millisecond); len(marked(h.path("state"))) > 0; <-look {
		select {
		case <-gone:
			t.Fatalf("left running: %v", marked(h.path("state")))
		default:
		}
	}
	h.open(t)
	h.do(t, exitReady, "run")
	h.good(t, 1)
}

// Two destinations whose state folders have one name, and one scratch folder:
// neither touches what is the other's.
func TestTwoDestinationsShareAMachine(t *testing.T) {
	t.Parallel()
	h, other := newHome(t), newHome(t)
	h.gate(t)
	h.env = append(h.env, "SPOOL_WORK="+h.path("work"))
	other.env = h.env
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	began := h.heldEncoder()
	other.do(t, exitReady, "run", "film.mp4")
	if still := h.heldEncoder(); began == 0 || still != began {
		t.Errorf("the encoder was process %d, and is %d", began, still)
	}
	h.open(t)
	c.end(t, exitReady)
	h.blameless(t)
	h.good(t, 1)
}

// Encoders that misbehave.
func TestBadEncoder(t *testing.T) {
	t.Parallel()
	t.Run("flood", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `head -c 30000000 /dev/zero | tr '\0' x >&2`)
		h.do(t, exitReady, "run", "film.mp4")
		h.good(t, 1)
	})
	t.Run("half the output", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `case $PWD in */encode-00001) if mkdir $home/once 2>/dev/null; then $real "$@" 4>&1 >/dev/null | head -c 20000 >&4; exit 0; fi;; esac`)
		h.do(t, exitReady, "run", "film.mp4")
		h.good(t, 1)
		if _, err := os.Stat(h.path("once")); err != nil {
			t.Error("the stub was not asked")
		}
	})
	t.Run("no output", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `case $PWD in */encode-00001) mkdir $home/once 2>/dev/null && exit 0;; esac`)
		h.do(t, exitReady, "run", "film.mp4")
		h.good(t, 1)
	})
	t.Run("killed at the end", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `case "$*" in *thumbnail*) mkdir $home/poster 2>/dev/null && kill -9 $$;; *framecrc*pipe:1*) mkdir $home/check 2>/dev/null && kill -9 $$;; esac`)
		h.do(t, exitReady, "run", "film.mp4")
		h.one(t, "bucket", "film-*", "poster.jpg")
		h.one(t, "poster")
		h.one(t, "check")
		h.good(t, 1)
	})
	t.Run("killed every time", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `case $PWD in */encode-00001) kill -9 $$;; esac`)
		said := h.do(t, exitSomeFailed, "run", "film.mp4")
		if !strings.Contains(said, "was killed 3 times at the same place") {
			t.Errorf("it does not say why:\n%s", said)
		}
		if found, _ := filepath.Glob(h.path("bucket", "*", "master.m3u8")); len(found) > 0 {
			t.Errorf("published: %v", found)
		}
		// Once memory is found for it, it goes on.
		h.ffmpeg = program(t, "ffmpeg")
		h.do(t, exitReady, "retry", "--all")
		h.do(t, exitReady, "run")
		h.good(t, 1)
	})
}

// Programs that are not there, or not what is needed.
func TestMissingPrograms(t *testing.T) {
	t.Parallel()
	t.Run("ffmpeg", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.ffmpeg = h.path("nothing")
		said := h.do(t, exitTryAgain, "run", "film.mp4")
		if !strings.Contains(said, "ffmpeg") || !strings.Contains(said, "hint: install") {
			t.Errorf("it does not say what to do:\n%s", said)
		}
		h.ffmpeg = program(t, "ffmpeg")
		h.do(t, exitReady, "run")
		h.good(t, 1)
	})
	t.Run("libx264", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.stub(t, `case "$*" in *-encoders*) $real "$@" | grep -v 264; exit;; esac`)
		if said := h.do(t, exitTryAgain, "run", "film.mp4"); !strings.Contains(said, "libx264") {
			t.Errorf("it does not say what is missing:\n%s", said)
		}
	})
	t.Run("yt-dlp", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.env = append(h.env, "SPOOL_YTDLP="+h.path("nothing"))
		site := newSite(t, nil)
		said := h.do(t, exitSomeFailed, "run", "film.mp4", site.url+"/page.html")
		if !strings.Contains(said, "1 ready · 1 failed") || !strings.Contains(said, "yt-dlp") {
			t.Errorf("it does not say what is missing:\n%s", said)
		}
		h.good(t, 1)
	})
}

// While one run is at work another is told who, and all that only looks works.
func TestDuringARun(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	second := h.do(t, exitTryAgain, "run", "film.mp4")
	if !strings.Contains(second, "is being worked on by process") {
		t.Errorf("the second run is not told who works:\n%s", second)
	}
	if said := h.do(t, exitReady, "ls"); !strings.Contains(said, "working") {
		t.Errorf("ls:\n%s", said)
	}
	h.do(t, exitReady, "show", h.id(t))
	h.do(t, exitReady, "verify", "--all")
	if said := h.do(t, exitUsage, "retry", h.id(t)); !strings.Contains(said, "nothing to retry") {
		t.Errorf("retry:\n%s", said)
	}
	preview := h.start(t, "preview")
	preview.await(t, `http://`)
	preview.signal(t, os.Interrupt)
	<-preview.ended
	h.open(t)
	c.end(t, exitReady)
	h.good(t, 1)
}

// A video that is removed while it is encoded is stopped, and nothing is left.
func TestRemoveDuringARun(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	h.until(t, c, "a first segment", func() bool {
		found, _ := filepath.Glob(h.path("bucket", "film-*", "r*", "v0-90p", "00000-*"))
		return len(found) > 0
	})
	h.do(t, exitReady, "rm", h.id(t))
	// Who removes it wanted that: it is no failure.
	if said := c.end(t, exitReady); !strings.Contains(said, ": removed\n") || !strings.Contains(said, "0 ready · 0 failed · 0 skipped · 1 removed") {
		t.Errorf("the run does not say what became of it:\n%s", said)
	}
	if left := files(t, h.path("work")); len(left) > 0 {
		t.Errorf("left in scratch: %v", left)
	}
	if left, _ := filepath.Glob(h.path("bucket", "film-*")); len(left) > 0 {
		t.Errorf("left in the destination: %v", files(t, h.path("bucket")))
	}
	h.open(t)
	h.do(t, exitReady, "run", "film.mp4")
	h.good(t, 1)
}

// A state folder that this Spool cannot use is left alone, with a sentence.
func TestForeignState(t *testing.T) {
	t.Parallel()
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		h.do(t, exitReady, "run", "film.mp4")
		db, err := sql.Open("sqlite", h.path("state", "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"run"}, {"ls"}, {"verify", "--all"}, {"plan", "film.mp4"}} {
			if said := h.start(t, args...); !strings.Contains(said.end(t, exitUsage), "newer Spool") {
				t.Errorf("%v:\n%s", args, said.said())
			}
		}
	})
	t.Run("another master key", func(t *testing.T) {
		t.Parallel()
		h, other := newHome(t), newHome(t)
		h.do(t, exitReady, "run", "film.mp4", "--keys", "keys")
		other.do(t, exitReady, "run", "film.mp4", "--keys", "keys")
		if err := os.Rename(other.path("state", "master.key"), h.path("state", "master.key")); err != nil {
			t.Fatal(err)
		}
		if said := h.do(t, exitTryAgain, "keys", "export", "more"); !strings.Contains(said, "master key") {
			t.Errorf("export:\n%s", said)
		}
		said := h.start(t, "verify", "--all")
		if <-said.ended; said.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(said.said(), "master key") {
			t.Errorf("verify:\n%s", said.said())
		}
	})
}

// A signal while sources are still being looked at ends that, too.
func TestSignalWhileTakingIn(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	stub := h.path("yt-dlp")
	text := "#!/bin/sh\ncase $* in *--version*) echo 2023.03.04; exit;; esac\n: > " + h.path("held") + "\nexec sleep 600\n"
	if err := os.WriteFile(stub, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	h.env = append(h.env, "SPOOL_YTDLP="+stub)
	site := newSite(t, nil)
	c := h.start(t, "run", "film.mp4", site.url+"/page.html")
	h.held(t, c)
	c.signal(t, os.Interrupt)
	c.end(t, exitInterrupted)
	if left := marked(h.path("state")); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	h.do(t, exitReady, "run")
}

// Killed in its first moments, when the state folder, the master key and the
// destination's token are made, spool finds its way into them again.
func TestKilledWhileOpening(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for early := range 20 {
		c := h.start(t, "run", "film.mp4", "--keys", "keys")
		select {
		case <-c.ended:
		case <-time.After(time.Duration(3*early) * time.Millisecond):
		}
		c.signal(t, os.Kill)
		<-c.ended
	}
	h.do(t, exitReady, "run", "film.mp4", "--keys", "keys")
	h.good(t, 1)
}
