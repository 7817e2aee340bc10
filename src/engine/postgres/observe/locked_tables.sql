-- Reports which sessions, if any, lock readers out of a table or delay a session that is about to do so. Users choose all of this text, so it is shortened and
-- put on one line.
\getenv seconds DB4SCI_LOCK_SECONDS
WITH session AS (
  SELECT a.pid, a.backend_type, a.usename, a.xact_start AS since, coalesce(a.usename::text, 'of a session') AS account,
         format('%s (%s, from %s)', coalesce(a.usename::text, 'of a session'),
                coalesce(nullif(left(regexp_replace(a.application_name, '\s+', ' ', 'g'), 60), ''), 'no application name'),
                coalesce(host(a.client_addr), 'inside the container')) AS who,
         coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'some time') AS time,
         format('session is %s, and its last statement was “%s”', coalesce(a.state, 'not known'),
                coalesce(left(regexp_replace(a.query, '\s+', ' ', 'g'), 200), '')) AS state
    FROM pg_stat_activity a
), exclusive AS (
  SELECT l.pid, l.granted, coalesce(n.nspname, '') AS schema,
         CASE WHEN c.oid IS NULL THEN l.relation::text ELSE format('%I.%I', n.nspname, c.relname) END AS relation
    FROM pg_locks l
    LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT 'db4sci: ' || json_build_object('fault', format('The backup waited more than %s s for a lock and was aborted: %s.', :'seconds',
         string_agg(w.text, '; ' ORDER BY w.since)))::text
  FROM (SELECT s.since, format('the table %s has been locked by the user %s since %s; its %s', string_agg(DISTINCT l.relation, ', '), s.who, s.time, s.state) AS text
          FROM exclusive l JOIN session s ON s.pid = l.pid
         WHERE l.granted AND l.pid <> pg_backend_pid() AND s.backend_type = 'client backend'
           AND l.schema NOT LIKE ALL (ARRAY['pg\_temp%', 'pg\_toast\_temp%'])
         GROUP BY s.pid, s.since, s.who, s.time, s.state
        UNION ALL
        SELECT s.since, format('the user %s is waiting to lock the table %s, and all later sessions wait behind that, because the user %s has used it since %s; that %s',
                               waiting.account, l.relation, s.who, s.time, s.state)
          FROM exclusive l JOIN session waiting ON waiting.pid = l.pid
         CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS p (pid)
          JOIN session s ON s.pid = p.pid
         WHERE NOT l.granted AND s.usename IS DISTINCT FROM current_user
         ORDER BY 1 LIMIT 3) w
HAVING count(*) > 0;
