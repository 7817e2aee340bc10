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
START TRANSACTION WITH CONSISTENT SNAPSHOT;
EXECUTE tables;
EXECUTE names;
SELECT CONCAT('db4sci: ', JSON_OBJECT('inexact', CONCAT('Others held locks in the server, so ', @database, ' was counted a moment before it was dumped.')))
  FROM DUAL WHERE NOT @held;
SELECT 'ready';
