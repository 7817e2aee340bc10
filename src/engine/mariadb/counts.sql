-- Reports what a database holds, one JSON line a table. @database and @fingerprints are set before this.
-- The texts of rows must not depend on who asks.
SET SESSION sql_mode = 'PIPES_AS_CONCAT', time_zone = '+00:00', group_concat_max_len = 1073741824, max_statement_time = 0;
