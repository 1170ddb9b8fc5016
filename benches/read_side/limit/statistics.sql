-- Statistics of a region's measures: each counts once in the total and once in every child region. $1: region, $2:
-- date.
WITH item AS MATERIALIZED (
    SELECT m.id, m.status = 'NOT_APPLICABLE' AS not_applicable,
        m.status <> 'NOT_APPLICABLE' AND m.due_by < $2 AS due,
        m.status IN ('CLOSED', 'CLOSED_ONGOING') AND coalesce(m.completed_on <= $2, TRUE) AS closed,
        coalesce(m.completed_on <= $2, m.status IN ('CLOSED', 'CLOSED_ONGOING')) AS completed
    FROM measure_region l JOIN measure m ON m.id = l.measure_id WHERE l.region_id = $1
), figures AS (
    SELECT NULL::bigint AS child, count(*) AS "all",
        count(*) FILTER (WHERE completed) AS completed, count(*) FILTER (WHERE closed) AS closed,
        count(*) FILTER (WHERE not_applicable) AS not_applicable,
        count(*) FILTER (WHERE due) AS due, count(*) FILTER (WHERE due AND NOT completed) AS overdue
    FROM item
    UNION ALL
    SELECT l.region_id, count(*),
        count(*) FILTER (WHERE completed), count(*) FILTER (WHERE closed),
        count(*) FILTER (WHERE not_applicable),
        count(*) FILTER (WHERE due), count(*) FILTER (WHERE due AND NOT completed)
    FROM item JOIN measure_region l ON l.measure_id = item.id
    WHERE l.region_id IN (SELECT id FROM region WHERE parent_id = $1)
    GROUP BY l.region_id
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
