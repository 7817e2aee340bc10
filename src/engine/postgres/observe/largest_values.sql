-- Bytes of the largest table of long values, as far as it may consist of few large ones: those of more than 200 kB for each
-- row, and those of tables that were never counted. Temporary tables are in no dump.
SELECT coalesce(max(bytes), 0)
  FROM (SELECT reltuples, pg_relation_size(reltoastrelid) AS bytes FROM pg_class WHERE reltoastrelid <> 0 AND relpersistence <> 't') t
 WHERE reltuples < 0 OR bytes / greatest(reltuples, 1) > 200000
