-- Gives the administrator its own password. The portal prepends a line that sets @own, as hexadecimal digits.
SET @hash = CONCAT('*', UPPER(SHA1(UNHEX(SHA1(@own)))));
EXECUTE IMMEDIATE CONCAT('ALTER USER ''root''@''localhost'' IDENTIFIED BY PASSWORD ''', @hash, '''');
EXECUTE IMMEDIATE CONCAT('ALTER USER ''root''@''127.0.0.1'' IDENTIFIED BY PASSWORD ''', @hash, '''');
