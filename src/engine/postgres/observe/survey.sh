# Prints JSON lines: the server, then the largest relations of each database. Read-only and bounded in time.
PGOPTIONS="$PGOPTIONS -c default_transaction_read_only=on -c statement_timeout=5s -c lock_timeout=1s"
export PGOPTIONS
ask postgres -c "
  select json_build_object(
    'version', current_setting('server_version'),
    'uptime_seconds', extract(epoch from now() - pg_postmaster_start_time())::bigint,
    'connections', (select count(*) from pg_stat_activity where backend_type = 'client backend'),
    'connections_max', current_setting('max_connections')::int,
    -- A ratio over a few reads would be meaningless.
    'cache_hit', (select case when sum(blks_hit + blks_read) >= 1000 then sum(blks_hit)::float8 / sum(blks_hit + blks_read) end
                    from pg_stat_database),
    'roles', (select coalesce(json_agg(json_build_object('name', rolname, 'admin', rolsuper) order by rolname), '[]')
                from pg_roles where rolcanlogin and rolname <> 'db4sci_observer' and rolname !~ '^db4sci_as_[0-9a-f]+$'),
    'databases', (select coalesce(json_agg(json_build_object('name', datname, 'bytes', pg_database_size(oid)) order by datname), '[]')
                    from pg_database where datconnlimit <> -2 and datname not in ('postgres', 'template0', 'template1')))"
ask postgres -c "
  select oid from pg_database
   where datallowconn and datconnlimit <> -2 and datname not in ('postgres', 'template0', 'template1')
   order by datname limit 50" |
  while IFS= read -r oid; do
    # The sentinel keeps line breaks at the end of a name. A database that was dropped in between, or whose owner
    # refuses connections, is left out. jsonb, because json_agg puts a line break between rows.
    name=$(ask postgres -c "select datname || '.' from pg_database where oid = $oid" </dev/null) || continue
    # A relation that somebody locks, or waits to lock, is not measured: that would wait for the lock.
    ask "${name%.}" -c "
      with locked (relation) as (
        select relation from pg_locks where locktype = 'relation' and mode = 'AccessExclusiveLock' and pid <> pg_backend_pid()),
      taken (relation) as (
        select relation from locked union select i.indrelid from pg_index i join locked l on l.relation = i.indexrelid)
      select json_build_object('database', current_database(), 'objects', coalesce(jsonb_agg(o), '[]'))
        from (select n.nspname || '.' || c.relname as name,
                     case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                                    when 'p' then 'partitioned table' else 'table' end as kind,
                     case when c.relkind <> 'v' then nullif(c.reltuples, -1)::bigint end as rows,
                     false as exact,
                     case when c.relkind <> 'v' and c.oid not in (select relation from taken) then pg_total_relation_size(c.oid) end as bytes
                from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where c.relkind in ('r', 'p', 'v', 'm', 'f')
                 and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_t'
               order by bytes desc nulls last, 1 limit 200) o" </dev/null 2>/dev/null || true
  done
