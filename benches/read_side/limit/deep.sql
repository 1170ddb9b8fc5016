-- 50 measures by deadline. $1, $2: deadline and key of the row before.
SELECT json_build_object(
    'nodes', coalesce(json_agg(json_build_object(
        'id', 'measure_' || m.id,
        'number', m.number,
        'content', m.content,
        'deadline', json_build_object('dueOn', m.due_on),
        'status', m.status,
        'leadUnit', (SELECT json_build_object('name', name) FROM unit WHERE id = m.lead_unit_id)
    ) ORDER BY place) FILTER (WHERE place <= 50), '[]'),
    'pageInfo', json_build_object(
        'hasNextPage', count(*) > 50,
        'endCursor', (array_agg({cursor m} ORDER BY place DESC) FILTER (WHERE place <= 50))[1]
    )
)::text
FROM (
    SELECT *, row_number() OVER (ORDER BY due_order, id) AS place
    FROM measure WHERE (due_order, id) > ($1, $2) ORDER BY due_order, id LIMIT 51
) m
