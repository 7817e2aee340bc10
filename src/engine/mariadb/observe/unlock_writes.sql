-- Waits until the dump has begun its transaction, then lets others write again. The dump has begun once it has selected
-- its database, which is its next step, or once it is over, which the script signals by a lock. This runs in the
-- server, so that the lock is released in time even if the script dies.
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE begun, polls INT DEFAULT 0;
  WHILE @held AND NOT begun AND polls < 1000 DO
    SET begun = EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID > @id AND USER = @observer AND DB = @database)
                OR IS_USED_LOCK(CONCAT('db4sci.', @id)) IN (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = @observer),
        polls = polls + 1;
    IF NOT begun THEN DO SLEEP(0.005); END IF;
  END WHILE;
  IF @held AND NOT begun THEN
    SELECT CONCAT('db4sci: ', JSON_OBJECT('inexact', CONCAT('The dump of ', @database, ' did not begin in time, so it was counted a moment before.')));
  END IF;
END//
DELIMITER ;
UNLOCK TABLES;
SELECT 'begun';
