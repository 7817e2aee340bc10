-- Reports which sessions, if any, lock readers out of a table or delay a session that is about to do so. Users choose all of this text, so it is shortened and
-- put on one line.
\getenv seconds DB4SCI_LOCK_SECONDS
SELECT 'db4sci: ' || json_build_object('fault', format('A lock kept the backup waiting for more than %s s, so it was given up: %s.', :'seconds',
         string_agg(w.text, '; ' ORDER BY w.since)))::text
  FROM (SELECT a.xact_start AS since,
               format('the table %s has been locked by the user %s (%s, from %s) since %s; its session is %s, and its last statement was “%s”',
                      string_agg(DISTINCT CASE WHEN c.oid IS NULL THEN l.relation::text ELSE format('%I.%I', n.nspname, c.relname) END, ', '),
                      coalesce(a.usename::text, 'of a session'), coalesce(nullif(left(regexp_replace(a.application_name, '\s+', ' ', 'g'), 60), ''), 'no application name'),
                      coalesce(host(a.client_addr), 'inside the container'),
                      coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'some time'),
                      coalesce(a.state, 'not known'), coalesce(left(regexp_replace(a.query, '\s+', ' ', 'g'), 200), '')) AS text
          FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
          LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND a.backend_type = 'client backend' AND coalesce(n.nspname, '') NOT LIKE ALL (ARRAY['pg\_temp%', 'pg\_toast\_temp%'])
         GROUP BY a.pid, a.usename, a.application_name, a.client_addr, a.xact_start, a.state, a.query
        UNION ALL
        SELECT b.xact_start,
               format('the user %s waits to lock the table %s, and so does everybody after that, because the user %s (%s, from %s) has used it since %s; that session is %s, and its last statement was “%s”',
                      coalesce(a.usename::text, 'of a session'), CASE WHEN c.oid IS NULL THEN l.relation::text ELSE format('%I.%I', n.nspname, c.relname) END,
                      coalesce(b.usename::text, 'of a session'), coalesce(nullif(left(regexp_replace(b.application_name, '\s+', ' ', 'g'), 60), ''), 'no application name'),
                      coalesce(host(b.client_addr), 'inside the container'),
                      coalesce(to_char(b.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'some time'),
                      coalesce(b.state, 'not known'), coalesce(left(regexp_replace(b.query, '\s+', ' ', 'g'), 200), ''))
          FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS p (pid)
          JOIN pg_stat_activity b ON b.pid = p.pid
          LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND NOT l.granted
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND b.usename IS DISTINCT FROM current_user
         ORDER BY 1 LIMIT 3) w
HAVING count(*) > 0;
