-- Prints one JSON object: what a backup of this server has to contain, and what a restore elsewhere has to know.
SELECT JSON_OBJECT(
    'version', SUBSTRING_INDEX(VERSION(), '-', 1),
    'databases', (SELECT COALESCE(JSON_ARRAYAGG(SCHEMA_NAME ORDER BY SCHEMA_NAME), JSON_ARRAY()) FROM information_schema.SCHEMATA
                   WHERE SCHEMA_NAME NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')),
    'facts', JSON_OBJECT(
        'character_sets', (SELECT COALESCE(JSON_OBJECTAGG(SCHEMA_NAME, DEFAULT_COLLATION_NAME), JSON_OBJECT()) FROM information_schema.SCHEMATA
                            WHERE SCHEMA_NAME NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')),
        'not_transactional', (SELECT COALESCE(JSON_ARRAYAGG(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')')), JSON_ARRAY())
                                FROM information_schema.TABLES t JOIN information_schema.ENGINES e USING (ENGINE)
                               WHERE COALESCE(e.TRANSACTIONS, 'NO') <> 'YES' AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
                                 AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')),
        'sql_mode', @@GLOBAL.sql_mode,
        'lower_case_table_names', @@lower_case_table_names));
