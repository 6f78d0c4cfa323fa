-- +goose Up

-- Marks the file as a ledger of Spool: "Spol".
PRAGMA application_id = 1399877484;

-- record is the whole video as JSON; the columns beside it are what queries
-- look for, and are written from the same value.
CREATE TABLE videos (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of acceptance
	folded    TEXT NOT NULL UNIQUE,              -- the ID as IDs clash: case-folded
	canonical TEXT NOT NULL,
	status    TEXT NOT NULL,
	revision  TEXT NOT NULL,
	record    TEXT NOT NULL
) STRICT;
CREATE INDEX videos_canonical ON videos (canonical, seq);
CREATE INDEX videos_status ON videos (status, seq);

CREATE TABLE jobs (
	video      INTEGER NOT NULL REFERENCES videos (seq) ON DELETE CASCADE,
	revision   TEXT NOT NULL,
	kind       TEXT NOT NULL,
	rank       INTEGER NOT NULL, -- the order of kinds
	number     INTEGER NOT NULL,
	live       INTEGER NOT NULL, -- 1: of its video's current revision, and the video has not ended
	state      TEXT NOT NULL,
	epoch      INTEGER NOT NULL,
	attempts   INTEGER NOT NULL,
	deaths     INTEGER NOT NULL,
	not_before INTEGER NOT NULL, -- nanoseconds since 1970; 0 = at once
	worker     TEXT NOT NULL,
	failure    TEXT NOT NULL,    -- JSON, or ''
	result     TEXT              -- JSON
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (video, revision, rank, number);
CREATE INDEX jobs_ready ON jobs (rank, video, number) WHERE state = 'ready' AND live = 1;
CREATE INDEX jobs_out ON jobs (video) WHERE state IN ('sent', 'running');

-- Keys outlive their video when a person wants them to.
CREATE TABLE keys (
	folded   TEXT NOT NULL,
	video    TEXT NOT NULL,
	revision TEXT NOT NULL,
	wrapped  BLOB NOT NULL,
	PRIMARY KEY (folded, revision)
) STRICT;

-- Published revisions that others have taken the place of, until their objects
-- are swept.
CREATE TABLE replaced (
	video    INTEGER NOT NULL REFERENCES videos (seq) ON DELETE CASCADE,
	revision TEXT NOT NULL,
	since    INTEGER NOT NULL, -- nanoseconds since 1970
	PRIMARY KEY (video, revision)
) STRICT;
CREATE INDEX replaced_since ON replaced (since);
