-- What a user of pg_graphql writes in addition to the functions of the peers: names in camel case, larger pages, counts,
-- and functions in the form that it takes. The benchmark recreates the schema in each run.

CREATE EXTENSION IF NOT EXISTS pg_graphql;
DROP SCHEMA IF EXISTS bench_pg_graphql CASCADE;
CREATE SCHEMA bench_pg_graphql;

COMMENT ON SCHEMA public IS '@graphql({"inflect_names": true})';
COMMENT ON SCHEMA bench IS '@graphql({"inflect_names": true})';
COMMENT ON SCHEMA bench_pg_graphql IS '@graphql({"inflect_names": true})';
COMMENT ON TABLE public.unit IS '@graphql({"max_rows": 50, "totalCount": {"enabled": true}})';
COMMENT ON TABLE public.assignment IS '@graphql({"max_rows": 50, "totalCount": {"enabled": true}})';
-- So many that one request returns the cursors of all deep pages.
COMMENT ON TABLE public.measure IS '@graphql({"max_rows": 5000})';

-- Measure.pace. A computed column has no arguments.
CREATE FUNCTION bench_pg_graphql._pace(m public.measure) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT bench.measure_pace(m, (now() AT TIME ZONE 'Asia/Shanghai')::date) $$;

-- Query.statisticsByPlace. Rows have to be of a table or view with a key, by which they are ordered.
CREATE VIEW bench_pg_graphql.figures AS
SELECT s.*, 0::bigint AS place FROM bench.statistics(0, CURRENT_DATE) s;
COMMENT ON VIEW bench_pg_graphql.figures IS '@graphql({"primary_key_columns": ["place"], "max_rows": 100})';
CREATE FUNCTION bench_pg_graphql.statistics_by_place(within bigint, as_of date)
RETURNS SETOF bench_pg_graphql.figures LANGUAGE sql STABLE AS
$$ SELECT * FROM bench.statistics(within, as_of) WITH ORDINALITY $$;

-- Assignment.latestReport and Assignment.writtenMeasure, as a report reads them back. They are volatile, because the
-- statement that calls a mutation's function, and stable functions in it, do not see what that function has written.
CREATE FUNCTION bench_pg_graphql._latest_report(a public.assignment)
RETURNS SETOF public.progress_report ROWS 1 LANGUAGE sql VOLATILE AS $$
    SELECT * FROM public.progress_report WHERE assignment_id = a.id ORDER BY submitted_at DESC, id DESC LIMIT 1
$$;
CREATE FUNCTION bench_pg_graphql._written_measure(a public.assignment)
RETURNS SETOF public.measure ROWS 1 LANGUAGE sql VOLATILE AS $$ SELECT * FROM public.measure WHERE id = a.measure_id $$;
