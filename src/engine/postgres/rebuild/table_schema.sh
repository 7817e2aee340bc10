# After the complete schema of the database has been restored into $DB4SCI_INTO: removes everything that does not belong
# to the table. What remains are the types, functions and extensions that the table may need, and its indexes,
# constraints, triggers and sequences, without rows.
edit "$DB4SCI_INTO" -f - <<'SQL'
\getenv schema DB4SCI_SCHEMA
\getenv table DB4SCI_TABLE
SET client_min_messages = error;
SELECT coalesce(max(c.oid), 0) AS wanted, count(*) = 1 AS there
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = :'schema' AND c.relname = :'table' AND c.relkind = 'r' \gset
\if :there
\else
  DO $$BEGIN RAISE EXCEPTION 'This is not an ordinary table: its rows are computed from others. Restore its database instead.'; END$$;
\endif
SELECT format('ALTER TABLE %s DETACH PARTITION %s', i.inhparent::regclass, i.inhrelid::regclass)
  FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = :wanted AND p.relkind = 'p' \gexec
SELECT format('ALTER TABLE %s NO INHERIT %s', i.inhrelid::regclass, i.inhparent::regclass)
  FROM pg_inherits i WHERE i.inhrelid = :wanted \gexec
SELECT 'db4sci: ' || json_build_object('note', format('The foreign key %s was left out because it refers to another table.', conname))::text
  FROM pg_constraint WHERE conrelid = :wanted AND contype = 'f' AND confrelid <> :wanted AND conparentid = 0;
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
  FROM pg_constraint WHERE conrelid = :wanted AND contype = 'f' AND confrelid <> :wanted AND conparentid = 0 \gexec
-- Anything else that depends on other tables would be dropped with them unnoticed.
CREATE TEMP VIEW db4sci_parts AS
  SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) +
         (SELECT count(*) FROM pg_attrdef WHERE adrelid = c.oid) + (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) +
         (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid) + (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) +
         (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) + (SELECT count(*) FROM pg_rewrite WHERE ev_class = c.oid) +
         (SELECT count(*) FROM pg_statistic_ext WHERE stxrelid = c.oid) AS n,
         c.oid
    FROM pg_class c;
SELECT n AS parts FROM db4sci_parts WHERE oid = :wanted \gset
SELECT format('DROP %s IF EXISTS %s CASCADE',
         CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid <> :wanted AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \gexec
SELECT coalesce((SELECT n FROM db4sci_parts WHERE oid = :wanted), 0) = :parts AS whole \gset
\if :whole
\else
  DO $$BEGIN RAISE EXCEPTION 'Columns, defaults, policies or rules of this table depend on others. Restore its database instead.'; END$$;
\endif
SQL
