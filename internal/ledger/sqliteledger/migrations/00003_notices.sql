-- +goose Up

-- What is still to be told of videos that have ended, to those who asked for
-- it. A row outlives its video: what has happened has happened.
CREATE TABLE notices (
	id       TEXT PRIMARY KEY,
	folded   TEXT NOT NULL,              -- the video's ID, as IDs clash
	callback TEXT NOT NULL,
	host     TEXT NOT NULL,              -- the callback's
	video    TEXT NOT NULL,              -- the whole video as it was then, JSON
	began    INTEGER NOT NULL DEFAULT 0, -- nanoseconds since 1970; 0 = never tried
	attempts INTEGER NOT NULL DEFAULT 0,
	next     INTEGER NOT NULL DEFAULT 0, -- as began; 0 = at once
	last     TEXT NOT NULL DEFAULT '',
	given_up INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notices_next ON notices (next) WHERE given_up = 0;
CREATE INDEX notices_video ON notices (folded, next);
CREATE INDEX notices_given_up ON notices (next) WHERE given_up = 1;
