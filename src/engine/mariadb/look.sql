-- Before a dump: remarks for its manifest, and views that can't be dumped because they lead nowhere. Those are told by
-- trying, as nothing lists them.
CREATE TEMPORARY TABLE mysql.db4sci_broken (name VARCHAR(64)) CHARACTER SET utf8mb4 ENGINE = MEMORY;
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE done, broken INT DEFAULT 0;
  DECLARE one VARCHAR(64) CHARACTER SET utf8mb4;
  DECLARE listed CURSOR FOR SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_TYPE = 'VIEW';
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  -- Parts that are gone, a definer that is gone, a circle.
  DECLARE CONTINUE HANDLER FOR 1356, 1449, 1462 SET broken = 1;
  OPEN listed;
  every: LOOP
    FETCH listed INTO one;
    IF done THEN LEAVE every; END IF;
    SET broken = 0;
    EXECUTE IMMEDIATE CONCAT('SELECT 1 FROM `', REPLACE(@database, '`', '``'), '`.`', REPLACE(one, '`', '``'), '` LIMIT 0');
    IF broken THEN INSERT INTO mysql.db4sci_broken VALUES (one); END IF;
  END LOOP;
END//
DELIMITER ;
SELECT CONCAT('broken ', name) FROM mysql.db4sci_broken;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('The view ', @database, '.', name,
         ' is not in this backup: it leads to tables, columns or users that are gone. It was defined as: ',
         COALESCE((SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = @database AND TABLE_NAME = name), '?'))))
  FROM mysql.db4sci_broken;
SET @keep = (SELECT GROUP_CONCAT(TABLE_NAME, ' (', ENGINE, ')' ORDER BY TABLE_NAME SEPARATOR ', ') FROM information_schema.TABLES
              WHERE TABLE_SCHEMA = @database AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV', 'MRG_MyISAM')),
    @loose = (SELECT GROUP_CONCAT(TABLE_NAME, ' (', ENGINE, ')' ORDER BY TABLE_NAME SEPARATOR ', ') FROM information_schema.TABLES JOIN information_schema.ENGINES USING (ENGINE)
               WHERE TABLE_SCHEMA = @database AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND COALESCE(TRANSACTIONS, 'NO') <> 'YES'
                 AND ENGINE NOT IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV', 'MRG_MyISAM'));
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('These tables of ', @database, ' have no transactions, so nobody could write into them while they were dumped: ', @keep, '.')))
  FROM DUAL WHERE @keep IS NOT NULL;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('These tables of ', @database, ' have no transactions and can''t be kept still, so they were dumped as they were found and not counted: ', @loose, '.')))
  FROM DUAL WHERE @loose IS NOT NULL;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('The history of these system-versioned tables of ', @database,
         ' is not in this backup, only their present rows: ', GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME SEPARATOR ', '), '.')))
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_TYPE = 'SYSTEM VERSIONED' AND NOT @history HAVING COUNT(*) > 0;
SET @broken = (SELECT COUNT(*) FROM mysql.db4sci_broken);
EXECUTE objects USING 1;
SET @id = CONNECTION_ID();
SELECT CONCAT_WS(' ', 'looked', @id, @keep IS NOT NULL, @history);
