-- One measure with its problem, units and assignments. $1: measure, $2: today.
SELECT json_build_object(
    'id', 'measure_' || m.id,
    'number', m.number,
    'content', m.content,
    'deadline', {deadline m},
    'status', m.status,
    'pace', {pace},
    'problem', (
        SELECT json_build_object(
            'id', 'problem_' || p.id,
            'number', p.number,
            'title', p.title,
            'region', (SELECT json_build_object('name', name) FROM region WHERE id = p.region_id),
            'round', (SELECT json_build_object('name', name) FROM inspection_round WHERE id = p.round_id)
        ) FROM problem p WHERE p.id = m.problem_id
    ),
    'leadUnit', (SELECT json_build_object('id', 'unit_' || id, 'name', name) FROM unit WHERE id = m.lead_unit_id),
    'responsibleUnits', (
        SELECT json_build_object('totalCount', count(*), 'nodes', coalesce(json_agg(json_build_object(
            'id', 'unit_' || u.id,
            'name', u.name,
            'region', (SELECT json_build_object('name', name) FROM region WHERE id = u.region_id)
        ) ORDER BY u.name_order, u.id) FILTER (WHERE place <= 50), '[]'))
        FROM (
            SELECT u.*, row_number() OVER (ORDER BY u.name_order, u.id) AS place FROM unit u WHERE u.id IN (
                SELECT unit_id FROM responsible_party WHERE measure_id = $1
                UNION SELECT unit_id FROM assignment WHERE measure_id = $1
            )
        ) u
    ),
    'assignments', (
        SELECT json_build_object('totalCount', count(*), 'nodes', coalesce(json_agg(json_build_object(
            'id', 'assignment_' || a.id,
            'status', a.status,
            'unit', (SELECT json_build_object('name', name) FROM unit WHERE id = a.unit_id),
            'latestReport', (
                SELECT json_build_object('text', text, 'submittedAt', submitted_at)
                FROM progress_report WHERE assignment_id = a.id ORDER BY submitted_at DESC, id DESC LIMIT 1
            )
        ) ORDER BY a.id) FILTER (WHERE place <= 50), '[]'))
        FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM assignment WHERE measure_id = $1) a
    )
)::text FROM measure m WHERE m.id = $1
