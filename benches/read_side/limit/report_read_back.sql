-- The assignment after the report. $1: assignment.
SELECT json_build_object(
    'id', 'assignment_' || a.id,
    'status', a.status,
    'version', a.version,
    'latestReport', (
        SELECT json_build_object(
            'id', 'report_' || r.id,
            'text', r.text,
            'submittedAt', r.submitted_at,
            'author', (SELECT json_build_object('name', name) FROM account WHERE id = r.author_id)
        ) FROM progress_report r WHERE r.assignment_id = a.id ORDER BY r.submitted_at DESC, r.id DESC LIMIT 1
    ),
    'measure', (SELECT json_build_object('id', 'measure_' || id, 'status', status) FROM measure WHERE id = a.measure_id)
)::text FROM assignment a WHERE a.id = $1
