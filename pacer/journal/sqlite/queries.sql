-- Every statement on the tables of schema.sql, by name. A comment says what it does and names its parameters in order;
-- a transition is spelled out as "state -> state".

-- Intake ---------------------------------------------------------------------

-- name: add_request
-- Freeze one record: idx, id, key, body, fan_out, surfaces, line.
INSERT INTO requests (idx, id, key, body, fan_out, surfaces, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: add_origin
-- Whose results its are: idx, id, number.
INSERT INTO origins (idx, id, number) VALUES (?1, ?2, ?3);

-- name: line_of_id
-- Where the record with this id stood: id.
SELECT line FROM requests WHERE id = ?1;

-- name: line_of_key
-- Where the record with this idempotency key stood: key.
SELECT line FROM requests WHERE key = ?1;

-- name: begin_progress
-- (nothing) -> pending, for all records at once.
INSERT INTO progress (idx, expected) SELECT idx, fan_out FROM requests ORDER BY idx;

-- name: begin_totals
-- Count them, once.
UPDATE totals
SET (requests, captures) = (SELECT count(*), coalesce(sum(expected), 0) FROM progress)
WHERE state = 0;

-- name: commit_batch
-- The batch exists: token, source, input_sha256, base_url, created_at, name.
INSERT INTO batch VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6);

-- Transitions ----------------------------------------------------------------

-- name: append_progress
-- (nothing) -> pending, for one record that joins later: idx, fan_out.
INSERT INTO progress (idx, expected) VALUES (?1, ?2);

-- name: append_totals
-- Count it: fan_out.
UPDATE totals SET requests = requests + 1, captures = captures + ?1 WHERE state = 0;

-- name: mark_sent
-- pending -> sent, and sent -> sent for one in doubt: idx, at.
UPDATE progress
SET state = 1, sent_at = ?2, first_sent_at = coalesce(first_sent_at, ?2)
WHERE idx = ?1 AND state IN (0, 1);

-- name: mark_all_sent
-- The same for many at once: JSON array of idx, at.
UPDATE progress
SET state = 1, sent_at = ?2, first_sent_at = coalesce(first_sent_at, ?2)
WHERE idx IN (SELECT value FROM json_each(?1)) AND state IN (0, 1);

-- name: mark_returned
-- sent -> pending: idx. Only the last send is known to have failed; an earlier one stays in doubt.
UPDATE progress
SET state = 0, sent_at = NULL, first_sent_at = nullif(first_sent_at, sent_at)
WHERE idx = ?1 AND state = 1;

-- name: mark_accepted
-- sent -> accepted: idx, at, job, children, replayed, how many children.
UPDATE progress
SET state = 2, accepted_at = ?2, job = ?3, children = ?4, replayed = ?5,
    expected = CASE WHEN ?6 > 0 THEN ?6 ELSE expected END,
    sent_at = NULL, first_sent_at = NULL
WHERE idx = ?1 AND state = 1;

-- name: learn_children
-- accepted -> accepted, its children known at last: idx, children, how many.
UPDATE progress SET children = ?2, expected = ?3 WHERE idx = ?1 AND state = 2 AND children = '[]';

-- name: mark_rejected
-- sent -> rejected: idx.
UPDATE progress SET state = 4, sent_at = NULL, first_sent_at = NULL WHERE idx = ?1 AND state = 1;

-- name: mark_done
-- accepted -> done, if every listed child has ended: idx.
UPDATE progress
SET state = 3
WHERE idx = ?1 AND state = 2 AND children <> '[]' AND expected = (SELECT count(*) FROM results WHERE results.idx = ?1);

-- name: mark_closed
-- accepted -> done, its children never known: idx. What has ended is then all there is to expect.
UPDATE progress
SET state = 3, expected = (SELECT count(*) FROM results WHERE results.idx = ?1)
WHERE idx = ?1 AND state = 2 AND children = '[]' AND EXISTS (SELECT 1 FROM results WHERE results.idx = ?1);

-- name: add_capture
-- One more line, unless this child has one: idx, child, ended_at, surface, region, status, envelope, error.
INSERT INTO results (idx, child, ended_at, surface, region, status, envelope, error)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
WHERE NOT EXISTS (SELECT 1 FROM results WHERE idx = ?1 AND child = ?2);

-- name: add_rejection
-- A rejected request's line: idx, ended_at, status, error.
INSERT INTO results (idx, ended_at, status, error) VALUES (?1, ?2, ?3, ?4);

-- name: move_gate
-- lane, until.
INSERT INTO gates VALUES (?1, ?2) ON CONFLICT (lane) DO UPDATE SET until = excluded.until;

-- name: learn
-- name, value.
INSERT INTO learnt VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: add_note
-- at, kind, data.
INSERT INTO notes (at, kind, data) VALUES (?1, ?2, ?3);

-- name: project
-- path, seq, end_byte, crc.
INSERT INTO projections VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (path) DO UPDATE SET seq = excluded.seq, end_byte = excluded.end_byte, crc = excluded.crc;

-- Reading --------------------------------------------------------------------

-- name: batch
SELECT token, source, input_sha256, base_url, created_at, name FROM batch;

-- name: standing
-- Where a request stands, to check what is about to be written: idx.
SELECT state, job, children FROM progress WHERE idx = ?1;

-- name: has_ended
-- Whether a child has ended: idx, child.
SELECT 1 FROM results WHERE idx = ?1 AND child = ?2;

-- name: totals
SELECT state, requests, captures FROM totals ORDER BY state;

-- name: ended
SELECT status, captures FROM ended;

-- name: pending
-- Requests in pending: after, limit.
SELECT r.idx, coalesce(o.id, r.id), r.key, r.body, r.fan_out, r.surfaces, p.sent_at, p.first_sent_at
FROM progress AS p INDEXED BY progress_pending CROSS JOIN requests AS r USING (idx) LEFT JOIN origins AS o USING (idx)
WHERE p.state = 0 AND p.idx > ?1
ORDER BY p.idx LIMIT ?2;

-- name: in_doubt
-- Requests in sent: after, limit.
SELECT r.idx, coalesce(o.id, r.id), r.key, r.body, r.fan_out, r.surfaces, p.sent_at, p.first_sent_at
FROM progress AS p INDEXED BY progress_sent CROSS JOIN requests AS r USING (idx) LEFT JOIN origins AS o USING (idx)
WHERE p.state = 1 AND p.idx > ?1
ORDER BY p.idx LIMIT ?2;

-- name: outstanding
-- Requests in accepted: after, limit.
SELECT r.idx, coalesce(o.id, r.id), p.job, p.accepted_at, r.fan_out, r.surfaces, p.children
FROM progress AS p INDEXED BY progress_accepted CROSS JOIN requests AS r USING (idx) LEFT JOIN origins AS o USING (idx)
WHERE p.state = 2 AND p.idx > ?1
ORDER BY p.idx LIMIT ?2;

-- name: find_by_id
-- One request and where it stands: id. (Not a list as JSON: json_each ends a string at its first NUL.)
SELECT r.idx, r.id, r.key, r.body, r.fan_out, r.surfaces, r.line, o.id, o.number, p.state, p.job, p.children
FROM requests AS r CROSS JOIN progress AS p USING (idx) LEFT JOIN origins AS o USING (idx)
WHERE r.id = ?1;

-- name: find_by_key
-- The same: key.
SELECT r.idx, r.id, r.key, r.body, r.fan_out, r.surfaces, r.line, o.id, o.number, p.state, p.job, p.children
FROM requests AS r CROSS JOIN progress AS p USING (idx) LEFT JOIN origins AS o USING (idx)
WHERE r.key = ?1;

-- name: ended_children
-- Children of these requests that have ended: JSON array of idx.
SELECT idx, child FROM results WHERE idx IN (SELECT value FROM json_each(?1)) AND child IS NOT NULL;

-- name: rows
-- Result lines in order: after, limit.
SELECT s.seq, coalesce(o.id, r.id), coalesce(o.number, s.idx), p.job, s.child, s.surface, s.region, s.status,
       s.envelope, s.error
FROM results AS s CROSS JOIN requests AS r USING (idx) CROSS JOIN progress AS p USING (idx)
LEFT JOIN origins AS o USING (idx)
WHERE s.seq > ?1
ORDER BY s.seq LIMIT ?2;

-- name: rows_of
-- Result lines of some requests: JSON array of idx.
SELECT s.seq, coalesce(o.id, r.id), coalesce(o.number, s.idx), p.job, s.child, s.surface, s.region, s.status,
       s.envelope, s.error
FROM results AS s CROSS JOIN requests AS r USING (idx) CROSS JOIN progress AS p USING (idx)
LEFT JOIN origins AS o USING (idx)
WHERE s.idx IN (SELECT value FROM json_each(?1))
ORDER BY s.seq;

-- name: rows_by_request
-- All result lines of the next requests that have any, as they ended, with the requests' children: after, how many.
-- The inner query walks results_child and stops; nothing is sorted but the lines of one request.
SELECT s.seq, coalesce(o.id, r.id), coalesce(o.number, s.idx), p.job, s.child, s.surface, s.region, s.status,
       s.envelope, s.error, p.children, s.idx
FROM results AS s CROSS JOIN requests AS r USING (idx) CROSS JOIN progress AS p USING (idx)
LEFT JOIN origins AS o USING (idx)
WHERE s.idx IN (SELECT DISTINCT idx FROM results WHERE idx > ?1 ORDER BY idx LIMIT ?2)
ORDER BY s.idx, s.seq;

-- name: bought
-- What was sent, by surfaces. A rejected request cost nothing; one that ended unknown may have.
SELECT r.surfaces, sum(r.fan_out)
FROM progress AS p CROSS JOIN requests AS r USING (idx)
WHERE p.state <> 0 AND NOT (
    p.state = 4 AND EXISTS (SELECT 1 FROM results AS s WHERE s.idx = p.idx AND s.child IS NULL AND s.status = 'rejected')
)
GROUP BY r.surfaces;

-- name: fallen
-- Requests with a result other than completed: after, limit.
SELECT r.idx, r.id, r.key, r.body, r.fan_out, r.surfaces, r.line, o.id, o.number
FROM requests AS r LEFT JOIN origins AS o USING (idx)
WHERE r.idx > ?1 AND EXISTS (SELECT 1 FROM results AS s WHERE s.idx = r.idx AND s.status <> 'completed')
ORDER BY r.idx LIMIT ?2;

-- name: ends
-- How the captures of some requests ended: JSON array of idx.
SELECT idx, child, surface, region, status, error
FROM results
WHERE idx IN (SELECT value FROM json_each(?1))
ORDER BY seq;

-- name: gates
SELECT lane, until FROM gates;

-- name: learnt
SELECT name, value FROM learnt;

-- name: notes
-- after, limit.
SELECT seq, at, kind, data FROM notes WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: projections
SELECT path, seq, end_byte, crc FROM projections;
