-- Stops all writes for the moment in which the dump begins its transaction, and begins that of the counts. Those who
-- write wait behind a lock that waits, so it never waits for long; after the last try the dump goes on without it.
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
SELECT CONCAT('db4sci: ', JSON_OBJECT('inexact', CONCAT('Others held locks in the server, so ', @database, ' was counted a moment before it was dumped.')))
  FROM DUAL WHERE NOT @held;
SELECT 'ready';
