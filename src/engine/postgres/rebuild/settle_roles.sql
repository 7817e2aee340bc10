-- The end of a restore into a new server, after all data is restored: roles and databases get their original
-- attributes. Every statement is built here from values, and quoted by this server. What fails is noted; no role gets
-- privileges on the whole server.
SET client_min_messages = 'error';
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\getenv admin DB4SCI_ADMIN
\getenv own DB4SCI_USER
-- The role that changed definitions. It owns nothing any more; otherwise this fails.
DROP ROLE IF EXISTS db4sci_editor;
SELECT set_config('db4sci.admin', :'admin', false), set_config('db4sci.own', :'own', false) \gset ignored_
CREATE TEMP TABLE note (text text);
CREATE TEMP VIEW told AS
  SELECT n, key AS kind, value AS v FROM db4sci.record, jsonb_each(line) WHERE jsonb_typeof(value) = 'object';
DO $$
DECLARE
  r record;
  target text;
  before text;
  acl record;
  harmless CONSTANT text[] := '{pg_read_all_data,pg_write_all_data,pg_monitor,pg_read_all_settings,pg_read_all_stats,pg_stat_scan_tables,pg_signal_backend,pg_checkpoint,pg_maintain,pg_use_reserved_connections}';
  new CONSTANT boolean := current_setting('server_version_num')::int >= 160000;
BEGIN
  FOR r IN SELECT v, v ->> 'name' AS name FROM told WHERE kind = 'role' ORDER BY n LOOP
    EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOREPLICATION %s %s %s %s CONNECTION LIMIT %s PASSWORD %L', r.name,
      CASE WHEN (r.v ->> 'inherit')::boolean THEN 'INHERIT' ELSE 'NOINHERIT' END,
      CASE WHEN (r.v ->> 'createdb')::boolean THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
      CASE WHEN (r.v ->> 'login')::boolean THEN 'LOGIN' ELSE 'NOLOGIN' END,
      CASE WHEN (r.v ->> 'bypassrls')::boolean THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
      (r.v ->> 'limit')::int, r.v ->> 'password');
    IF r.v ->> 'until' IS NOT NULL THEN
      EXECUTE format('ALTER ROLE %I VALID UNTIL %L', r.name, r.v ->> 'until');
    END IF;
    EXECUTE format('COMMENT ON ROLE %I IS %L', r.name, r.v ->> 'comment');
    IF (r.v ->> 'superuser')::boolean OR (r.v ->> 'createrole')::boolean OR (r.v ->> 'replication')::boolean THEN
      INSERT INTO note VALUES (format('The role %s had privileges on the whole server (superuser, CREATEROLE or REPLICATION). It was restored without them.', r.name));
    END IF;
  END LOOP;
  FOR r IN SELECT v, v ->> 'of' AS of, v ->> 'member' AS member FROM told WHERE kind = 'member' ORDER BY n LOOP
    IF r.of = ANY (harmless) OR EXISTS (SELECT FROM told k WHERE k.kind = 'role' AND k.v ->> 'name' = r.of) THEN
      BEGIN
        EXECUTE format('GRANT %I TO %I WITH ADMIN %s', r.of, r.member, CASE WHEN (r.v ->> 'admin')::boolean THEN 'TRUE' ELSE 'FALSE' END) ||
          CASE WHEN r.v ->> 'inherit' IS NOT NULL THEN format(', INHERIT %s, SET %s', r.v ->> 'inherit', r.v ->> 'set') ELSE '' END;
      EXCEPTION WHEN OTHERS THEN
        BEGIN
          EXECUTE format('GRANT %I TO %I', r.of, r.member) || CASE WHEN (r.v ->> 'admin')::boolean THEN ' WITH ADMIN OPTION' ELSE '' END;
        EXCEPTION WHEN OTHERS THEN
          INSERT INTO note VALUES (format('%s was not made a member of %s again: %s', r.member, r.of, SQLERRM));
        END;
      END;
    ELSE
      INSERT INTO note VALUES (format('%s was a member of %s, which gives privileges on the whole server. It was restored without that membership.', r.member, r.of));
    END IF;
  END LOOP;
  FOR r IN SELECT v, d.datname AS name, d.datdba::regrole::text AS owner FROM told k JOIN pg_database d ON d.datname = k.v ->> 'name' WHERE kind = 'database' ORDER BY n LOOP
    IF jsonb_typeof(r.v -> 'acl') = 'array' THEN
      EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', r.name);
      EXECUTE format('REVOKE ALL ON DATABASE %I FROM %s', r.name, r.owner);
      FOR acl IN SELECT x ->> 'privilege' AS privilege, x ->> 'grantee' AS grantee, (x ->> 'grantable')::boolean AS grantable FROM jsonb_array_elements(r.v -> 'acl') AS x LOOP
        BEGIN
          IF acl.privilege NOT IN ('CONNECT', 'CREATE', 'TEMPORARY') THEN RAISE 'unknown privilege'; END IF;
          EXECUTE format('GRANT %s ON DATABASE %I TO %s%s', acl.privilege, r.name, CASE WHEN acl.grantee IS NULL THEN 'PUBLIC' ELSE quote_ident(acl.grantee) END,
                         CASE WHEN acl.grantable AND acl.grantee IS NOT NULL THEN ' WITH GRANT OPTION' ELSE '' END);
        EXCEPTION WHEN OTHERS THEN
          INSERT INTO note VALUES (format('The privilege %s on the database %s was not granted to %s again: %s', acl.privilege, r.name, acl.grantee, SQLERRM));
        END;
      END LOOP;
    END IF;
    EXECUTE format('COMMENT ON DATABASE %I IS %L', r.name, r.v ->> 'comment');
    IF r.v ? 'owner' AND r.v ->> 'owner' IS NULL THEN
      EXECUTE format('ALTER DATABASE %I OWNER TO %I', r.name, current_setting('db4sci.admin'));
    END IF;
  END LOOP;
  FOR r IN SELECT v, v ->> 'database' AS db, v ->> 'role' AS role, v ->> 'name' AS name FROM told k
    WHERE kind = 'setting' AND (v ->> 'database' IS NULL OR EXISTS (SELECT FROM pg_database WHERE datname = v ->> 'database')) ORDER BY n LOOP
    BEGIN
      IF r.role IS NOT NULL AND NOT EXISTS (SELECT FROM told k WHERE k.kind = 'role' AND k.v ->> 'name' = r.role) THEN RAISE 'there is no such role'; END IF;
      IF r.db IS NULL AND r.role IS NULL THEN RAISE 'it was set for the whole server'; END IF;
      IF EXISTS (SELECT FROM pg_settings s WHERE lower(s.name) = lower(r.name) AND s.context <> 'user') THEN RAISE 'only an administrator may set it'; END IF;
      target := CASE WHEN r.role IS NULL THEN format('ALTER DATABASE %I', r.db)
                     WHEN r.db IS NULL THEN format('ALTER ROLE %I', r.role)
                     ELSE format('ALTER ROLE %I IN DATABASE %I', r.role, r.db) END;
      IF jsonb_array_length(r.v -> 'values') > 0 THEN
        EXECUTE target || format(' SET %I TO %s', r.name, (SELECT string_agg(quote_literal(x), ', ' ORDER BY o) FROM jsonb_array_elements_text(r.v -> 'values') WITH ORDINALITY AS y (x, o)));
      ELSE
        -- In a restore by hand, a list has not been split into its values.
        before := current_setting(r.name, true);
        PERFORM set_config(r.name, r.v ->> 'value', false);
        EXECUTE target || format(' SET %I FROM CURRENT', r.name);
        PERFORM set_config(r.name, before, false);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      INSERT INTO note VALUES (format('The setting %s of %s was left out: %s.', r.name,
        concat_ws(' in ', 'the role ' || r.role, 'the database ' || r.db), SQLERRM));
    END;
  END LOOP;
  -- Last, because nobody can connect to a closed database.
  FOR r IN SELECT v, d.datname AS name FROM told k JOIN pg_database d ON d.datname = k.v ->> 'name' WHERE kind = 'database' AND v ? 'limit' ORDER BY n LOOP
    EXECUTE format('ALTER DATABASE %I WITH CONNECTION LIMIT %s IS_TEMPLATE %s ALLOW_CONNECTIONS %s', r.name,
                   (r.v ->> 'limit')::int, (r.v ->> 'template')::boolean::text, (r.v ->> 'connections')::boolean::text);
  END LOOP;
END $$;
