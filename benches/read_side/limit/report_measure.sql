-- Rolls a measure up from its assignments: the least advanced state, ignoring those not applicable. Writes nothing if
-- nothing
-- changes. $1: measure, $2: now.
UPDATE measure m SET version = m.version + 1, status = s.status, status_stated_on = NULL, completed_on = s.completed_on,
    reported_on = s.reported_on, quantity_done = s.quantity_done, quantity_target = s.quantity_target, updated_at = $2
FROM (
    SELECT x.id,
        ({states})[min(array_position({states}, a.status::text))] AS status,
        CASE WHEN bool_and(a.completed_on IS NOT NULL) FILTER (WHERE a.status <> 'NOT_APPLICABLE')
            THEN max(a.completed_on) FILTER (WHERE a.status <> 'NOT_APPLICABLE') END AS completed_on,
        CASE WHEN bool_or(a.reported_on IS NULL) FILTER (WHERE a.status NOT IN ({settled})) THEN NULL
            ELSE coalesce(min(a.reported_on) FILTER (WHERE a.status NOT IN ({settled})), x.reported_on) END AS reported_on,
        sum(a.quantity_done) AS quantity_done,
        sum(a.quantity_target) AS quantity_target
    FROM measure x JOIN assignment a ON a.measure_id = x.id WHERE x.id = $1 GROUP BY x.id
) s
WHERE m.id = s.id AND (
    m.status_stated_on IS NOT NULL
    OR (m.status, m.completed_on, m.reported_on, m.quantity_done, m.quantity_target)
        IS DISTINCT FROM (s.status, s.completed_on, s.reported_on, s.quantity_done, s.quantity_target)
)
