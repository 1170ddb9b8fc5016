-- Statistics of a region's measures: each counts once in the total and once in every child region, where it is judged by
-- that region's own answers. $1: region, $2: date.
WITH entry AS (
    SELECT l.region_id, coalesce(l.own_status, m.status) AS status, coalesce(l.own_due_by, m.due_by) AS due_by,
        CASE WHEN l.own_status IS NULL THEN m.completed_on ELSE l.own_completed_on END AS completed_on
    FROM measure_region top JOIN measure_region l ON l.measure_id = top.measure_id JOIN measure m ON m.id = l.measure_id
    WHERE top.region_id = $1 AND (l.region_id = $1 OR l.region_id IN (SELECT id FROM region WHERE parent_id = $1))
), item AS (
    SELECT region_id, status = 'NOT_APPLICABLE' AS not_applicable,
        status <> 'NOT_APPLICABLE' AND due_by < $2 AS due,
        status IN ('CLOSED', 'CLOSED_ONGOING') AND coalesce(completed_on <= $2, TRUE) AS closed,
        coalesce(completed_on <= $2, status IN ('CLOSED', 'CLOSED_ONGOING')) AS completed
    FROM entry
), figures AS (
    SELECT nullif(region_id, $1) AS child, count(*) AS "all",
        count(*) FILTER (WHERE completed) AS completed, count(*) FILTER (WHERE closed) AS closed,
        count(*) FILTER (WHERE not_applicable) AS not_applicable,
        count(*) FILTER (WHERE due) AS due, count(*) FILTER (WHERE due AND NOT completed) AS overdue
    FROM item GROUP BY region_id
), rated AS (
    SELECT figures.*,
        completed::float8 / nullif("all" - not_applicable, 0) AS completion_rate,
        closed::float8 / nullif("all" - not_applicable, 0) AS close_out_rate,
        overdue::float8 / nullif(due, 0) AS overdue_rate
    FROM figures
)
SELECT json_build_object(
    'asOf', $2,
    'total', (SELECT json_build_object({figures}) FROM rated WHERE child IS NULL),
    'rows', (
        SELECT coalesce(json_agg(json_build_object('key', 'region_' || r.id, 'label', r.name, {figures})
            ORDER BY coalesce(r.code, '999999999999'), "all" DESC, 'region_' || r.id), '[]')
        FROM rated JOIN region r ON r.id = rated.child
    )
)::text
