-- Reports a fault for each account that has rights over the complete server, and for each object that runs with the rights
-- of the image's or the portal's accounts. Events are left out: those of a copy are switched off, and run with the rights of
-- whoever switches them on.
SET SESSION sql_mode = '';
SELECT CONCAT('db4sci: {"fault":', JSON_QUOTE(CONCAT('The account ', User, '@', Host, ' has rights over the complete server.')), '}') FROM (
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
 WHERE NOT (User IN ('root', 'mariadb.sys', 'mysql', 'healthcheck') AND Host IN ('localhost', '127.0.0.1', '::1')) AND User NOT LIKE 'db4sci\\_%'
 GROUP BY User, Host;
SELECT CONCAT('db4sci: {"fault":', JSON_QUOTE(CONCAT('The ', what, ' ', db, '.', name, ' runs with the rights of ', definer, '.')), '}') FROM (
  SELECT LOWER(type) AS what, db, name, definer FROM mysql.proc
  UNION ALL
  SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS
  UNION ALL
  SELECT 'view', TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE SECURITY_TYPE = 'DEFINER') o
 WHERE db NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
   AND (SUBSTRING_INDEX(definer, '@', 1) IN ('root', 'mariadb.sys', 'mysql') OR definer LIKE 'db4sci\\_%');
