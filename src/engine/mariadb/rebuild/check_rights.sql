-- After everything is restored: resets the owner's account, and fails if any account has more rights than the backup
-- gives. @name is set before this, as hexadecimal digits.
SET SESSION sql_mode = '';
DELIMITER //
BEGIN NOT ATOMIC
  IF EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'db4sci_rebuild') THEN
    UPDATE mysql.global_priv g JOIN mysql.db4sci_rebuild r ON r.what = 'account' SET g.Priv = r.value WHERE g.User = @name AND g.Host = '%';
    FLUSH PRIVILEGES;
    SELECT CAST(value AS UNSIGNED) INTO @packet FROM mysql.db4sci_rebuild WHERE what = 'packet';
    SET GLOBAL max_allowed_packet = @packet;
    DROP TABLE mysql.db4sci_rebuild;
  END IF;
  DROP ROLE IF EXISTS db4sci_rebuild;
  SET @climbed = (
    SELECT GROUP_CONCAT(DISTINCT User, '@', Host SEPARATOR ', ') FROM (
      -- All but USAGE, SELECT, SHOW DATABASES, SHOW VIEW, PROCESS, LOCK TABLES, BINLOG MONITOR, SLAVE MONITOR and SHOW
      -- CREATE ROUTINE.
      SELECT User, Host FROM mysql.global_priv WHERE CAST(JSON_VALUE(Priv, '$.access') AS UNSIGNED) & ~824639111425 <> 0
      UNION ALL
      SELECT User, Host FROM mysql.db
       WHERE ('mysql' LIKE Db OR 'sys' LIKE Db OR 'performance_schema' LIKE Db)
         AND 'Y' IN (Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Grant_priv, Alter_priv, Execute_priv, Create_view_priv,
                     Create_routine_priv, Alter_routine_priv, Event_priv, Trigger_priv, Index_priv)
      UNION ALL
      SELECT User, Host FROM mysql.tables_priv WHERE Db IN ('mysql', 'sys') AND Table_priv + 0 & ~2049 <> 0
      UNION ALL
      SELECT User, Host FROM mysql.proxies_priv) a
     WHERE NOT (User IN ('root', 'mariadb.sys') AND Host IN ('localhost', '127.0.0.1', '::1')) AND User NOT LIKE 'db4sci\\_%');
  IF @climbed IS NOT NULL THEN
    SET @why = LEFT(CONCAT('After the restore these accounts could do more than their backup says: ', @climbed), 128);
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @why;
  END IF;
END//
DELIMITER ;
