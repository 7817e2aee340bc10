-- Keeps the events of a copy of another database's data from running. Their table is changed directly, because ALTER
-- EVENT would make the portal's account the owner of an event.
SET SESSION sql_mode = '';
UPDATE mysql.event SET status = 'DISABLED' WHERE status = 'ENABLED';
-- Only the accounts of the portal, of the image and of the owner can sign in. @name is the owner's.
SET SESSION group_concat_max_len = 1048576;
SET @others = (SELECT GROUP_CONCAT(CONCAT(QUOTE(User), '@', QUOTE(Host)) SEPARATOR ', ') FROM mysql.global_priv
                WHERE User NOT IN ('root', 'mariadb.sys', 'mysql', 'healthcheck', 'db4sci_observer', '')
                  AND User <> CONVERT(@name USING utf8mb4) COLLATE utf8mb4_bin
                  AND COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) <> 1);
SET @lock = IF(@others IS NULL, 'DO 0', CONCAT('ALTER USER ', @others, ' ACCOUNT LOCK'));
EXECUTE IMMEDIATE @lock;
