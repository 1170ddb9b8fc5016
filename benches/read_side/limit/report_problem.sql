-- Rolls a problem up from its measures. Writes nothing if nothing changes. $1: problem, $2: now.
UPDATE problem p SET version = p.version + 1, status = s.status, status_stated_on = NULL, completed_on = s.completed_on,
    updated_at = $2
FROM (
    SELECT ({states})[min(array_position({states}, status::text))] AS status,
        CASE WHEN bool_and(completed_on IS NOT NULL) FILTER (WHERE status <> 'NOT_APPLICABLE')
            THEN max(completed_on) FILTER (WHERE status <> 'NOT_APPLICABLE') END AS completed_on
    FROM measure WHERE problem_id = $1
) s
WHERE p.id = $1 AND (
    p.status_stated_on IS NOT NULL OR (p.status, p.completed_on) IS DISTINCT FROM (s.status, s.completed_on)
)
