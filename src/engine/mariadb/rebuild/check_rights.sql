-- After everything is restored: resets the owner's account, and fails if any account has more privileges than the backup
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
@ABOVE@) above);
  IF @climbed IS NOT NULL THEN
    SET @why = LEFT(CONCAT('After the restore these accounts could do more than their backup says: ', @climbed), 128);
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @why;
  END IF;
END//
DELIMITER ;
