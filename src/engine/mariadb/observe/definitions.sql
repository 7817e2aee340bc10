-- Prints the queries whose results define the content of a database, each preceded by one that names the object.
-- Includes only those events that a later restore creates again.
SELECT CONCAT('SELECT ''database'', ', QUOTE(@database), '; SHOW CREATE DATABASE `', REPLACE(@database, '`', '``'), '`;');
SELECT CONCAT('SELECT ', QUOTE(kind), ', ', QUOTE(@database), '; SHOW CREATE ', UPPER(kind), ' `', REPLACE(@database, '`', '``'), '`.`', REPLACE(name, '`', '``'), '`;')
  FROM (SELECT CASE TABLE_TYPE WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE 'table' END AS kind, TABLE_NAME AS name
          FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE', 'VIEW')
        UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = @database AND ROUTINE_SCHEMA = @database COLLATE utf8mb4_bin
        UNION ALL SELECT 'trigger', TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = @database AND TRIGGER_SCHEMA = @database COLLATE utf8mb4_bin
        UNION ALL SELECT 'event', EVENT_NAME FROM information_schema.EVENTS
         WHERE EVENT_SCHEMA = @database AND EVENT_SCHEMA = @database COLLATE utf8mb4_bin AND (ON_COMPLETION = 'PRESERVE' OR (EVENT_TYPE = 'RECURRING' AND ENDS IS NULL))) o
 WHERE NOT (kind = 'view' AND FIND_IN_SET(HEX(name), COALESCE(@left_out, '')));
