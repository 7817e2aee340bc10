-- Creates the observer account, or repairs it. The portal prepends a line that sets @password, as hexadecimal digits.
-- The account reads everything, but without EXECUTE it runs none of the owner's code. It keeps lists in temporary
-- tables, in a database where the owner cannot create anything. RELOAD is for FLUSH TABLES WITH READ LOCK and FOR
-- EXPORT.
SET @hash = CONCAT('*', UPPER(SHA1(UNHEX(SHA1(@password)))));
DELIMITER //
FOR one IN (SELECT '127.0.0.1' AS host UNION ALL SELECT 'localhost') DO
  SET @who = CONCAT('db4sci_observer@''', one.host, '''');
  EXECUTE IMMEDIATE CONCAT('CREATE OR REPLACE USER ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, '''');
  EXECUTE IMMEDIATE CONCAT('GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, PROCESS, RELOAD /*M!110300 , SHOW CREATE ROUTINE */ ON *.* TO ', @who);
  EXECUTE IMMEDIATE CONCAT('GRANT CREATE TEMPORARY TABLES ON mysql.* TO ', @who);
END FOR//
DELIMITER ;
