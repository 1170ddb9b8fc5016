-- The first 20 problems that concern a region, by deadline, each with its measures. $1: region, $2: today.
SELECT json_build_object(
    'totalCount', coalesce((SELECT amount FROM region_tally WHERE region_id = $1 AND noun = 'PROBLEM'), 0),
    'pageInfo', json_build_object(
        'hasNextPage', count(*) > 20,
        'endCursor', (array_agg({cursor p} ORDER BY place DESC) FILTER (WHERE place <= 20))[1]
    ),
    'edges', coalesce(json_agg(json_build_object('cursor', {cursor p}, 'node', json_build_object(
        'id', 'problem_' || p.id,
        'number', p.number,
        'title', p.title,
        'deadline', {deadline p},
        'region', (SELECT json_build_object('id', 'region_' || id, 'name', name) FROM region WHERE id = p.region_id),
        'measures', (
            SELECT json_build_object('nodes', coalesce(json_agg(json_build_object(
                'id', 'measure_' || m.id,
                'number', m.number,
                'content', m.content,
                'deadline', {deadline m},
                'status', m.status,
                'pace', {pace},
                'leadUnit', (SELECT json_build_object('name', name) FROM unit WHERE id = m.lead_unit_id)
            ) ORDER BY m.position, m.id), '[]'))
            FROM (SELECT * FROM measure WHERE problem_id = p.id ORDER BY position, id LIMIT 20) m
        )
    )) ORDER BY place) FILTER (WHERE place <= 20), '[]')
)::text
FROM (
    SELECT p.*, row_number() OVER (ORDER BY p.due_order, p.id) AS place
    FROM (
        SELECT p.* FROM problem_region l JOIN problem p ON p.id = l.problem_id
        WHERE l.region_id = $1 ORDER BY l.due_order, l.problem_id LIMIT 21
    ) p
) p
