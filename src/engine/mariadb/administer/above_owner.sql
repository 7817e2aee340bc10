-- The accounts that have privileges on the whole server, without the server's own and the portal's. @IMAGE@ is replaced
-- with further names.
SELECT User, Host FROM (
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
  SELECT User, Host FROM mysql.columns_priv WHERE Db IN ('mysql', 'sys')
  UNION ALL
  SELECT User, Host FROM mysql.procs_priv WHERE Db IN ('mysql', 'sys')
  UNION ALL
  SELECT User, Host FROM mysql.proxies_priv) a
 WHERE NOT (User IN ('root', 'mariadb.sys'@IMAGE@) AND Host IN ('localhost', '127.0.0.1', '::1'))
   AND NOT (User = 'db4sci_observer' AND Host IN ('localhost', '127.0.0.1'))
