-- Before a count: lists everything other than rows. @database and @fingerprints are set before this. The text of a row
-- must not depend on the client, so the portal sets the session's settings.
SET SESSION max_heap_table_size = 268435456;
SET @broken = 0;
SET @can = EXISTS (SELECT 1 FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'SYSTEM_VERSIONING_INSERT_HISTORY');
-- The history of tables is dumped if the server can restore it, which it cannot for transaction-precise versioning.
SET @history = @can AND NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS
                                       WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND GENERATION_EXPRESSION = 'ROW START' AND DATA_TYPE = 'bigint');
CREATE TEMPORARY TABLE mysql.db4sci_counted (kind VARCHAR(20), name VARCHAR(64) COLLATE utf8mb4_bin, versioned INT, amount BIGINT)
  CHARACTER SET utf8mb4 ENGINE = MEMORY;
-- Run while no schema can change: the tables that the dump will find, except those that cannot be locked meanwhile.
PREPARE tables FROM 'INSERT INTO mysql.db4sci_counted (kind, name, versioned)
  SELECT ''table'', TABLE_NAME, TABLE_TYPE = ''SYSTEM VERSIONED'' FROM information_schema.TABLES LEFT JOIN information_schema.ENGINES USING (ENGINE)
   WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE IN (''BASE TABLE'', ''SYSTEM VERSIONED'')
     AND (TRANSACTIONS = ''YES'' OR ENGINE IN (''MyISAM'', ''Aria'', ''ARCHIVE'', ''CSV'', ''MRG_MyISAM''))';
-- The values of sequences belong to no snapshot, so they are not counted.
PREPARE objects FROM 'INSERT INTO mysql.db4sci_counted (kind, name, amount)
  SELECT ''object'', what, n FROM (
    SELECT ''view'' AS what, COUNT(*) - @broken AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE = ''VIEW''
    UNION ALL SELECT ''sequence'', COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE = ''SEQUENCE''
    UNION ALL SELECT ''routine'', COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = @database AND ROUTINE_SCHEMA = @database COLLATE utf8mb4_bin
    UNION ALL SELECT ''trigger'', COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = @database AND TRIGGER_SCHEMA = @database COLLATE utf8mb4_bin
    UNION ALL SELECT ''event'', COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = @database AND EVENT_SCHEMA = @database COLLATE utf8mb4_bin
    UNION ALL SELECT ''index'', COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND SEQ_IN_INDEX = 1
    UNION ALL SELECT ''constraint'', COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = @database AND CONSTRAINT_SCHEMA = @database COLLATE utf8mb4_bin
    UNION ALL SELECT ''column'', COUNT(*) FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
     WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND t.TABLE_TYPE IN (''BASE TABLE'', ''SYSTEM VERSIONED'')) o';
