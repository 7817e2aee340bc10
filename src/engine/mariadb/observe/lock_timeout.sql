-- Ends a session that waits too long for a lock, and reports who holds it. This ends with @holder, the counting
-- session.
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE waiting, holds BIGINT;
  DECLARE since INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END;
  WHILE EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = @holder) AND NOT COALESCE(GET_LOCK(CONCAT('db4sci.holder.', @holder), 0.5), 1) DO
    SET waiting = NULL;
    SELECT ID, TIME INTO waiting, since FROM information_schema.PROCESSLIST
     WHERE USER = @observer AND (DB = @database OR ID = @holder) AND STATE LIKE 'Waiting for table % lock%' AND TIME >= @lock_seconds LIMIT 1;
    IF waiting IS NOT NULL THEN
      IF EXISTS (SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE') THEN
        EXECUTE IMMEDIATE 'SELECT THREAD_ID, TABLE_NAME INTO @holds, @locked FROM information_schema.METADATA_LOCK_INFO
          WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND LOCK_TYPE LIKE ''Table metadata lock%'' AND LOCK_MODE NOT IN (''MDL_SHARED_READ'', ''MDL_SHARED'', ''MDL_SHARED_HIGH_PRIO'', ''MDL_SHARED_WRITE'', ''MDL_INTENTION_EXCLUSIVE'')
            AND THREAD_ID NOT IN (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = @observer) LIMIT 1';
      END IF;
      -- If the server does not list locks: the session that has been in the database for the longest time.
      SET holds = COALESCE(@holds, (SELECT ID FROM information_schema.PROCESSLIST WHERE DB = @database AND USER <> @observer ORDER BY TIME DESC LIMIT 1));
      SELECT CONCAT('The backup waited ', since, ' s for a lock', COALESCE(CONCAT(' on the table ', @database, '.', @locked), CONCAT(' in the database ', @database)),
        COALESCE((SELECT CONCAT(IF(@holds IS NULL, ', perhaps held by the session ', ', held by the session '), ID, ' of ', USER, ' from ', HOST, ', which began ', COALESCE(CONCAT('“', LEFT(REGEXP_REPLACE(INFO, '[[:space:]]+', ' '), 100), '”'), 'to wait for its next statement'), ' ', TIME, ' s ago')
                    FROM information_schema.PROCESSLIST WHERE ID = holds), ''),
        '. End that session, or back up when it is over.');
      EXECUTE IMMEDIATE CONCAT('KILL ', CAST(waiting AS CHAR));
      SET @holder = -1;
    END IF;
  END WHILE;
END//
DELIMITER ;
