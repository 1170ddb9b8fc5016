-- Functions that a user of PostGraphile or pg_graphql writes for what tables alone do not provide: computed columns, a
-- query, a mutation. They are equivalent to the limit's statements. The benchmark recreates the schema in each run.

DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;

-- Measure.pace
CREATE FUNCTION bench.measure_pace(m public.measure, today date) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN m.status = 'NOT_APPLICABLE' THEN NULL
        WHEN m.status IN ('CLOSED', 'CLOSED_ONGOING') OR m.completed_on <= today THEN 'DONE'
        WHEN m.due_by < today THEN 'OVERDUE'
        WHEN m.pace_override IS NOT NULL THEN m.pace_override
        WHEN m.quantity_done IS NOT NULL AND m.quantity_target > 0 AND m.due_by > m.issued_on THEN CASE
            WHEN m.quantity_done / m.quantity_target - (today - m.issued_on)::float8 / (m.due_by - m.issued_on) > 0.1
                THEN 'AHEAD'
            WHEN m.quantity_done / m.quantity_target - (today - m.issued_on)::float8 / (m.due_by - m.issued_on) < -0.1
                THEN 'BEHIND'
            ELSE 'ON_SCHEDULE' END
        WHEN coalesce(m.reported_on, m.issued_on) < today - CASE WHEN m.due_by IS NULL THEN 92 ELSE 30 END THEN 'BEHIND'
        ELSE 'ON_SCHEDULE' END
$$;

-- Measure.responsibleUnits
CREATE FUNCTION bench.measure_responsible_units(m public.measure) RETURNS SETOF public.unit LANGUAGE sql STABLE AS $$
    SELECT u.* FROM public.unit u WHERE u.id IN (
        SELECT unit_id FROM public.responsible_party WHERE measure_id = m.id
        UNION SELECT unit_id FROM public.assignment WHERE measure_id = m.id
    ) ORDER BY u.name_order, u.id
$$;

-- Query.statistics: the total first, then one row for each child region.
CREATE FUNCTION bench.statistics(within bigint, as_of date) RETURNS TABLE (
    key text, label text, "all" bigint, completed bigint, closed bigint, not_applicable bigint, overdue bigint,
    completion_rate float8, close_out_rate float8, overdue_rate float8
) LANGUAGE sql STABLE AS $$
    WITH entry AS (
        SELECT l.region_id, coalesce(l.own_status, m.status) AS status, coalesce(l.own_due_by, m.due_by) AS due_by,
            CASE WHEN l.own_status IS NULL THEN m.completed_on ELSE l.own_completed_on END AS completed_on
        FROM public.measure_region top JOIN public.measure_region l ON l.measure_id = top.measure_id
        JOIN public.measure m ON m.id = l.measure_id
        WHERE top.region_id = within
            AND (l.region_id = within OR l.region_id IN (SELECT id FROM public.region WHERE parent_id = within))
    ), item AS (
        SELECT e.region_id, e.status = 'NOT_APPLICABLE' AS not_applicable,
            e.status <> 'NOT_APPLICABLE' AND e.due_by < as_of AS due,
            e.status IN ('CLOSED', 'CLOSED_ONGOING') AND coalesce(e.completed_on <= as_of, TRUE) AS closed,
            coalesce(e.completed_on <= as_of, e.status IN ('CLOSED', 'CLOSED_ONGOING')) AS completed
        FROM entry e
    ), figures AS (
        SELECT nullif(i.region_id, within) AS child, count(*) AS "all",
            count(*) FILTER (WHERE i.completed) AS completed, count(*) FILTER (WHERE i.closed) AS closed,
            count(*) FILTER (WHERE i.not_applicable) AS not_applicable,
            count(*) FILTER (WHERE i.due) AS due, count(*) FILTER (WHERE i.due AND NOT i.completed) AS overdue
        FROM item i GROUP BY i.region_id
    )
    SELECT 'region_' || r.id, r.name, f."all", f.completed, f.closed, f.not_applicable, f.overdue,
        f.completed::float8 / nullif(f."all" - f.not_applicable, 0),
        f.closed::float8 / nullif(f."all" - f.not_applicable, 0),
        f.overdue::float8 / nullif(f.due, 0)
    FROM figures f LEFT JOIN public.region r ON r.id = f.child
    ORDER BY f.child IS NOT NULL, coalesce(r.code, '999999999999'), f."all" DESC, r.id
$$;

-- JSON and moments as the audit writes them, so that `rectify audit verify` can compare them with the rows.
CREATE FUNCTION bench.written(object json) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT replace(replace(object::text, '" : ', '":'), ', "', ',"') $$;
CREATE FUNCTION bench.moment(at timestamptz) RETURNS text LANGUAGE sql STABLE STRICT AS
$$ SELECT regexp_replace(regexp_replace(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '\.000000Z$', 'Z'), '(\.\d{3})000Z$', '\1Z') $$;

-- Mutation.reportProgress
CREATE FUNCTION bench.report_progress(assignment_id bigint, version int, period text, text text, quantities jsonb)
RETURNS public.assignment LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    states CONSTANT text[] := ARRAY['REOPENED', 'ASSIGNED', 'NOT_APPLICABLE_PROPOSED', 'RETURNED', 'IN_PROGRESS',
        'SUBMITTED', 'VERIFIED', 'PUBLICISED', 'CLOSED_ONGOING', 'CLOSED', 'NOT_APPLICABLE'];
    problem bigint;
    there public.assignment;
    report bigint;
    after public.assignment;
    entry public.audit_entry;
BEGIN
    SELECT p.id INTO problem
    FROM public.assignment a JOIN public.measure m ON m.id = a.measure_id JOIN public.problem p ON p.id = m.problem_id
    WHERE a.id = report_progress.assignment_id FOR UPDATE OF p;
    SELECT * INTO there FROM public.assignment a WHERE a.id = report_progress.assignment_id FOR UPDATE;
    IF there.id IS NULL THEN
        RAISE EXCEPTION 'NOT_FOUND';
    ELSIF there.version <> report_progress.version THEN
        RAISE EXCEPTION 'STALE_VERSION';
    ELSIF there.status NOT IN
        ('ASSIGNED', 'NOT_APPLICABLE_PROPOSED', 'RETURNED', 'REOPENED', 'IN_PROGRESS', 'CLOSED_ONGOING') THEN
        RAISE EXCEPTION 'WRONG_STATE';
    END IF;
    INSERT INTO public.progress_report (assignment_id, period, text, submitted_at)
    VALUES (there.id, report_progress.period, btrim(report_progress.text), now()) RETURNING id INTO report;
    INSERT INTO public.quantity (progress_report_id, position, label, done, target, unit)
    SELECT report, q.position, btrim(q.one ->> 'label'), (q.one ->> 'done')::float8, (q.one ->> 'target')::float8,
        q.one ->> 'unit'
    FROM jsonb_array_elements(quantities) WITH ORDINALITY q (one, position);
    UPDATE public.assignment a SET
        status = CASE a.status WHEN 'CLOSED_ONGOING' THEN 'CLOSED_ONGOING' ELSE 'IN_PROGRESS' END,
        reported_on = (now() AT TIME ZONE 'Asia/Shanghai')::date,
        quantity_done = coalesce((quantities -> 0 ->> 'done')::float8, a.quantity_done),
        quantity_target = coalesce((quantities -> 0 ->> 'target')::float8, a.quantity_target),
        version = a.version + 1, updated_at = now()
    WHERE a.id = there.id RETURNING * INTO after;
    UPDATE public.measure m SET version = m.version + 1, status = s.status, status_stated_on = NULL,
        completed_on = s.completed_on, reported_on = s.reported_on, quantity_done = s.quantity_done,
        quantity_target = s.quantity_target, updated_at = now()
    FROM (
        SELECT x.id, states[min(array_position(states, a.status::text))] AS status,
            CASE WHEN bool_and(a.completed_on IS NOT NULL) FILTER (WHERE a.status <> 'NOT_APPLICABLE')
                THEN max(a.completed_on) FILTER (WHERE a.status <> 'NOT_APPLICABLE') END AS completed_on,
            CASE WHEN bool_or(a.reported_on IS NULL)
                    FILTER (WHERE a.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE')) THEN NULL
                ELSE coalesce(min(a.reported_on)
                    FILTER (WHERE a.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE')), x.reported_on)
                END AS reported_on,
            sum(a.quantity_done) AS quantity_done, sum(a.quantity_target) AS quantity_target
        FROM public.measure x JOIN public.assignment a ON a.measure_id = x.id WHERE x.problem_id = problem GROUP BY x.id
    ) s
    WHERE m.id = s.id AND (
        m.status_stated_on IS NOT NULL
        OR (m.status, m.completed_on, m.reported_on, m.quantity_done, m.quantity_target)
            IS DISTINCT FROM (s.status, s.completed_on, s.reported_on, s.quantity_done, s.quantity_target)
    );
    UPDATE public.problem p SET version = p.version + 1, status = s.status, status_stated_on = NULL,
        completed_on = s.completed_on, updated_at = now()
    FROM (
        SELECT states[min(array_position(states, m.status::text))] AS status,
            CASE WHEN bool_and(m.completed_on IS NOT NULL) FILTER (WHERE m.status <> 'NOT_APPLICABLE')
                THEN max(m.completed_on) FILTER (WHERE m.status <> 'NOT_APPLICABLE') END AS completed_on
        FROM public.measure m WHERE m.problem_id = problem
    ) s
    WHERE p.id = problem AND (
        p.status_stated_on IS NOT NULL OR (p.status, p.completed_on) IS DISTINCT FROM (s.status, s.completed_on)
    );
    INSERT INTO public.change (kind, at, problem_id, measure_id, assignment_id)
    VALUES ('PROGRESS_REPORTED', now(), problem, there.measure_id, there.id);
    -- The audit entry. Each hashed part is preceded by its length.
    SELECT position, hash INTO entry.position, entry.previous FROM public.audit_entry
    WHERE chain = 'problem_' || problem ORDER BY position DESC LIMIT 1;
    entry.position := coalesce(entry.position, 0) + 1;
    entry.previous := coalesce(entry.previous, '');
    entry.before := bench.written(json_build_object('status', there.status, 'completedOn', there.completed_on,
        'unit', there.unit_id, 'version', there.version, 'acceptedAt', bench.moment(there.accepted_at),
        'declinedAt', bench.moment(there.declined_at)));
    entry.after := bench.written(json_build_object('status', after.status, 'completedOn', after.completed_on,
        'unit', after.unit_id, 'version', after.version, 'acceptedAt', bench.moment(after.accepted_at),
        'declinedAt', bench.moment(after.declined_at), 'report', report, 'period', report_progress.period));
    entry.request_id := replace(gen_random_uuid()::text, '-', '');
    SELECT encode(sha256(string_agg(int8send(octet_length(part)) || convert_to(part, 'UTF8'), ''::bytea ORDER BY place)), 'hex')
    INTO entry.hash
    FROM unnest(ARRAY[entry.previous, 'problem_' || problem, entry.position::text, 'PROGRESS_REPORTED',
        'assignment_' || there.id, there.measure_id::text, there.id::text,
        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '', '', '', entry.request_id,
        entry.before, entry.after]) WITH ORDINALITY parts (part, place);
    INSERT INTO public.audit_entry (chain, position, act, object, measure_id, assignment_id, at, request_id, before, after,
        previous, hash)
    VALUES ('problem_' || problem, entry.position, 'PROGRESS_REPORTED', 'assignment_' || there.id, there.measure_id, there.id,
        now(), entry.request_id, entry.before, entry.after, entry.previous, entry.hash);
    RETURN after;
END
$$;
