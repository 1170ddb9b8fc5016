CASE
    WHEN m.status = 'NOT_APPLICABLE' THEN NULL
    WHEN m.status IN ('CLOSED', 'CLOSED_ONGOING') OR m.completed_on <= $2 THEN 'DONE'
    WHEN m.due_by < $2 THEN 'OVERDUE'
    WHEN m.pace_override IS NOT NULL THEN m.pace_override
    WHEN m.quantity_done IS NOT NULL AND m.quantity_target > 0 AND m.due_by > m.issued_on THEN CASE
        WHEN m.quantity_done / m.quantity_target - ($2 - m.issued_on)::float8 / (m.due_by - m.issued_on) > 0.1 THEN 'AHEAD'
        WHEN m.quantity_done / m.quantity_target - ($2 - m.issued_on)::float8 / (m.due_by - m.issued_on) < -0.1 THEN 'BEHIND'
        ELSE 'ON_SCHEDULE' END
    WHEN coalesce(m.reported_on, m.issued_on) < $2 - CASE WHEN m.due_by IS NULL THEN 92 ELSE 30 END THEN 'BEHIND'
    ELSE 'ON_SCHEDULE' END
