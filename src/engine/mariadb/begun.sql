-- Waits until the dump has begun its transaction, and lets others write again. It has when it has chosen its database,
-- which it does next; or when it is over, of which the script tells by a lock. In the server, so that the lock ends in
-- time whatever becomes of the script.
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
