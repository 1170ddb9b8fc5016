-- Writes the report, its quantities, the change and the audit entry, and updates the assignment.
-- $1: assignment, $2: period, $3: text, $4: now, $5: today, $6 … $9: labels, done, targets and units of the quantities,
-- $10: report, $11: problem, $12: measure, $13 … $23: the audit entry's position, chain, object, address, request,
-- before,
-- after, previous hash, hash, and digest and salt of the address.
WITH report AS (
    INSERT INTO progress_report (id, assignment_id, period, text, submitted_at) VALUES ($10, $1, $2, $3, $4)
), counted AS (
    INSERT INTO quantity (progress_report_id, position, label, done, target, unit)
    SELECT $10, q.position, q.label, q.done, q.target, q.unit
    FROM unnest($6, $7, $8, $9) WITH ORDINALITY q (label, done, target, unit, position)
), noted AS (
    INSERT INTO change (kind, at, problem_id, measure_id, assignment_id) VALUES ('PROGRESS_REPORTED', $4, $11, $12, $1)
), audited AS (
    INSERT INTO audit_entry (act, at, measure_id, assignment_id, position, chain, object, address, request_id, before, after,
        previous, hash, address_digest, address_salt)
    VALUES ('PROGRESS_REPORTED', $4, $12, $1, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
)
UPDATE assignment SET status = CASE status WHEN 'CLOSED_ONGOING' THEN status ELSE 'IN_PROGRESS' END, reported_on = $5,
    quantity_done = coalesce($7[1], quantity_done), quantity_target = coalesce($8[1], quantity_target),
    version = version + 1, updated_at = $4
WHERE id = $1
