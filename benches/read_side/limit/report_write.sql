-- $1 assignment, $2 period, $3 text, $4 now, $5 today, $6 … $9 the quantities' labels, done, targets, units. The report, its
-- quantities, and the assignment moved on.
WITH report AS (
    INSERT INTO progress_report (assignment_id, period, text, submitted_at) VALUES ($1, $2, $3, $4) RETURNING id
), counted AS (
    INSERT INTO quantity (progress_report_id, position, label, done, target, unit)
    SELECT report.id, q.position, q.label, q.done, q.target, q.unit
    FROM report, unnest($6, $7, $8, $9) WITH ORDINALITY q (label, done, target, unit, position)
)
UPDATE assignment SET status = CASE status WHEN 'CLOSED_ONGOING' THEN status ELSE 'IN_PROGRESS' END, reported_on = $5,
    quantity_done = coalesce($7[1], quantity_done), quantity_target = coalesce($8[1], quantity_target),
    version = version + 1, updated_at = $4
WHERE id = $1
