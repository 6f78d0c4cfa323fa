-- +goose Up

-- cause is the code of the video's failure, or ''.
ALTER TABLE videos ADD COLUMN cause TEXT NOT NULL DEFAULT '';
UPDATE videos SET cause = coalesce(json_extract(record, '$.failure.code'), '');
CREATE INDEX videos_cause ON videos (status, cause, seq);

-- priority is the video's. place is JSON, or '' for any; lost is JSON, or ''.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lost TEXT NOT NULL DEFAULT '';

DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (rank, priority DESC, turn, video, number) WHERE state = 'ready' AND live = 1;
CREATE INDEX jobs_place ON jobs (rank, place, priority DESC, turn, video, number) WHERE state = 'ready' AND live = 1;
