-- +goose Up

-- What could be encoded, and was not begun: a video's plan, first chunk or first piece.
CREATE INDEX jobs_stock ON jobs (video, place, priority, revision) WHERE state = 'ready' AND live = 1 AND epoch = 0 AND number = 0 AND rank IN (1, 2, 3);
