-- Before a dump: prints remarks for its manifest and finds the views that mariadb-dump cannot read. No view is
-- evaluated: a view whose columns are not listed either calls a function, which this account may not do, or refers to
-- missing objects. The lock is held as long as this session exists; see lock_timeout.sql.
DO GET_LOCK(CONCAT('db4sci.holder.', CONNECTION_ID()), 0);
CREATE TEMPORARY TABLE mysql.db4sci_view (name VARCHAR(64) COLLATE utf8mb4_bin, kind VARCHAR(10), place INT, text LONGTEXT)
  CHARACTER SET utf8mb4 ENGINE = Aria;
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE done INT DEFAULT 0;
  DECLARE one VARCHAR(64) CHARACTER SET utf8mb4;
  DECLARE listed CURSOR FOR SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE = 'VIEW';
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  OPEN listed;
  every: LOOP
    FETCH listed INTO one;
    IF done THEN LEAVE every; END IF;
    SET @columns = 0, @code = 0;
    SELECT COUNT(*) INTO @columns FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_NAME = one AND TABLE_NAME = one COLLATE utf8mb4_bin;
    GET DIAGNOSTICS CONDITION 1 @code = MYSQL_ERRNO;
    IF @columns = 0 THEN
      -- No EXECUTE privilege, or a definer who was removed: the statement of the view can still be read.
      INSERT INTO mysql.db4sci_view (name, kind) VALUES (one, IF(@code IN (1370, 1449), 'coded', 'broken'));
      SET done = 0;
    END IF;
  END LOOP;
END//
-- Views that another view refers to come before it.
BEGIN NOT ATOMIC
  DECLARE at INT DEFAULT 0;
  UPDATE mysql.db4sci_view w SET text = (SELECT VIEW_DEFINITION FROM information_schema.VIEWS v WHERE v.TABLE_SCHEMA = @database AND v.TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND v.TABLE_NAME = w.name AND v.TABLE_NAME = w.name COLLATE utf8mb4_bin);
  every: LOOP
    CREATE OR REPLACE TEMPORARY TABLE mysql.db4sci_next ENGINE = MEMORY SELECT name, CONCAT('`', REPLACE(name, '`', '``'), '`') AS quoted FROM mysql.db4sci_view WHERE place IS NULL;
    UPDATE mysql.db4sci_view w SET place = at
     WHERE place IS NULL AND NOT EXISTS (SELECT 1 FROM mysql.db4sci_next o WHERE o.name <> w.name AND LOCATE(o.quoted, w.text) > 0);
    IF ROW_COUNT() = 0 THEN LEAVE every; END IF;
    SET at = at + 1;
  END LOOP;
END//
DELIMITER ;
SELECT CONCAT(kind, ' ', HEX(name)) FROM mysql.db4sci_view ORDER BY COALESCE(place, 2147483647), name;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('The view ', @database, '.', name,
         ' is not in this backup: it uses tables, columns or functions that no longer exist. It was defined as: ', COALESCE(text, '?'))))
  FROM mysql.db4sci_view WHERE kind = 'broken' ORDER BY name;
SET @keep = (SELECT GROUP_CONCAT(TABLE_NAME, ' (', ENGINE, ')' ORDER BY TABLE_NAME SEPARATOR ', ') FROM information_schema.TABLES
              WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV', 'MRG_MyISAM')),
    @loose = (SELECT GROUP_CONCAT(TABLE_NAME, ' (', ENGINE, ')' ORDER BY TABLE_NAME SEPARATOR ', ') FROM information_schema.TABLES JOIN information_schema.ENGINES USING (ENGINE)
               WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND COALESCE(TRANSACTIONS, 'NO') <> 'YES'
                 AND ENGINE NOT IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV', 'MRG_MyISAM'));
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('These tables of ', @database, ' do not support transactions, so writes to them were blocked during the dump: ', @keep, '.')))
  FROM DUAL WHERE @keep IS NOT NULL;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('These tables of ', @database, ' do not support transactions and cannot be locked, so the dump may contain changes made while it was running, and their rows were not counted: ', @loose, '.')))
  FROM DUAL WHERE @loose IS NOT NULL;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('These tables of ', @database, ' are outside the data directory, so snapshots and copies do not contain them: ',
         GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME SEPARATOR ', '), '. Their rows are in this backup; a restored server stores them in its data directory.')))
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND (CREATE_OPTIONS LIKE '%DATA DIRECTORY=%' OR CREATE_OPTIONS LIKE '%INDEX DIRECTORY=%') HAVING COUNT(*) > 0;
-- The location of partitions is only in the statement of their table, which the script reads.
SELECT CONCAT('parted ', HEX(TABLE_NAME)) FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND CREATE_OPTIONS LIKE '%partitioned%' ORDER BY TABLE_NAME;
SELECT CONCAT('db4sci: ', JSON_OBJECT('note', CONCAT('The history of these system-versioned tables of ', @database,
         ' is not in this backup, only their current rows: ', GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME SEPARATOR ', '), '.')))
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_TYPE = 'SYSTEM VERSIONED' AND NOT @history HAVING COUNT(*) > 0;
SET @broken = (SELECT COUNT(*) FROM mysql.db4sci_view WHERE kind = 'broken');
SET @id = CONNECTION_ID();
SELECT CONCAT_WS(' ', 'looked', @id, @keep IS NOT NULL, @history);
