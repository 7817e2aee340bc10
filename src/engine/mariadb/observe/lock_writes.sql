-- Blocks all writes for the moment in which the dump begins its transaction, and begins the transaction of the counts.
-- Writers queue behind a waiting lock, so it never waits for long. After the last try the dump continues without it.
SET @held = 0;
SET SESSION lock_wait_timeout = 2;
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE tries INT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR 1205 SET @held = 0;
  WHILE NOT @held AND tries < 3 DO
    SET @held = 1, tries = tries + 1;
    FLUSH TABLES WITH READ LOCK;
    IF NOT @held THEN DO SLEEP(1); END IF;
  END WHILE;
END//
DELIMITER ;
SET SESSION lock_wait_timeout = @lock_seconds;
-- Which table each name of a table or partition stands for.
CREATE TEMPORARY TABLE mysql.db4sci_named (name BINARY(16), id BIGINT UNSIGNED, PRIMARY KEY (name), KEY (id)) ENGINE = MEMORY;
INSERT INTO mysql.db4sci_named SELECT UNHEX(MD5(NAME)), TABLE_ID FROM information_schema.INNODB_SYS_TABLES
 WHERE CAST(SUBSTRING_INDEX(NAME, '/', 1) AS BINARY) = CONVERT(CONVERT(@database USING filename) USING binary);
START TRANSACTION WITH CONSISTENT SNAPSHOT;
EXECUTE tables;
SELECT CONCAT('db4sci: ', JSON_OBJECT('inexact', CONCAT('Others held locks in the server, so ', @database, ' was counted a moment before it was dumped.')))
  FROM DUAL WHERE NOT @held;
SELECT 'ready';
