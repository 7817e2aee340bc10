-- Prints which events of a copy of another database's data would run, and which accounts could sign in. @name is the
-- owner's account, whose password is set later.
SET SESSION sql_mode = '';
SELECT CONCAT('off event x', HEX(name), ' x', HEX(db)) FROM mysql.event WHERE status = 'ENABLED';
SELECT CONCAT('off account x', HEX(CONCAT(User, '@', Host)), ' x') FROM mysql.global_priv
 WHERE COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) <> 1
   AND User NOT IN ('root', 'mariadb.sys', 'mysql', 'healthcheck', 'db4sci_observer', '')
   AND User <> CONVERT(@name USING utf8mb4) COLLATE utf8mb4_bin
   AND COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) <> 1;
