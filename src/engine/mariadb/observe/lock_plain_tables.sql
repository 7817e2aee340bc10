-- Blocks writes to tables without transactions as long as the counting session, @holder, exists. FOR EXPORT lets others
-- read even while a writer waits, which LOCK TABLES does not. It waits for readers, and other sessions wait behind it,
-- so it never waits for long.
SET SESSION lock_wait_timeout = 2;
SET @kept = 0, @tries = 0,
    @flush = (SELECT CONCAT('FLUSH TABLES ', GROUP_CONCAT('`', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(TABLE_NAME, '`', '``'), '`'), ' FOR EXPORT')
                FROM information_schema.TABLES
               WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV', 'MRG_MyISAM'));
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR 1205 SET @kept = 0;
  WHILE NOT @kept AND @tries < 3 DO
    SET @kept = 1, @tries = @tries + 1;
    EXECUTE IMMEDIATE @flush;
    IF NOT @kept THEN DO SLEEP(1); END IF;
  END WHILE;
END//
DELIMITER ;
SELECT CONCAT('db4sci: ', JSON_OBJECT('inexact', CONCAT('Others held locks on tables of ', @database, ' without transactions, so those could be written into while they were dumped.')))
  FROM DUAL WHERE NOT @kept;
SELECT 'kept';
-- A session that alters such a table waits for this lock, and the dump waits behind that session: then this gives way.
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE waits INT DEFAULT 0;
  WHILE @kept AND waits < 25 AND EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = @holder) DO
    DO SLEEP(0.2);
    SET waits = IF(EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = @observer AND DB = @database AND STATE LIKE 'Waiting for table%'),
                   waits + 1, 0);
  END WHILE;
  IF waits >= 25 THEN SELECT 'gave way'; END IF;
END//
DELIMITER ;
