-- Reports a fault for each account that has privileges on the whole server, and for each object that runs with the privileges
-- of the image's or the portal's accounts. Events are left out: those of a copy are switched off, and run with the privileges of
-- whoever switches them on.
SET SESSION sql_mode = '';
SELECT CONCAT('db4sci: {"fault":', JSON_QUOTE(CONCAT('The account ', User, '@', Host, ' has privileges on the whole server.')), '}') FROM (
@ABOVE@) above GROUP BY User, Host;
SELECT CONCAT('db4sci: {"fault":', JSON_QUOTE(CONCAT('The ', what, ' ', db, '.', name, ' runs with the privileges of ', definer, '.')), '}') FROM (
  SELECT LOWER(type) AS what, db, name, definer FROM mysql.proc
  UNION ALL
  SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS
  UNION ALL
  SELECT 'view', TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE SECURITY_TYPE = 'DEFINER') o
 WHERE db NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
   AND (SUBSTRING_INDEX(definer, '@', 1) IN ('root', 'mariadb.sys', 'mysql') OR definer LIKE 'db4sci\\_%');
-- Routines that do not come with the server, in databases where the owner cannot create any.
SELECT CONCAT('db4sci: {"fault":', JSON_QUOTE(CONCAT('The ', LOWER(type), ' ', db, '.', name, ' does not belong to the server.')), '}')
  FROM mysql.proc WHERE db IN ('mysql', 'sys') AND definer NOT LIKE 'mariadb.sys@%';
