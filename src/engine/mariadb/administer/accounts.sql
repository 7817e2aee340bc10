-- Creates the user and, in a new server, its database, or completes an earlier attempt. The portal prepends lines that set
-- @is_new to 0 or 1, and @name, @database and @password as hexadecimal digits, so nothing needs quoting.
-- The bytes of the password are hashed here, as a client would do (the documented double SHA-1), because the text of a
-- statement is converted to a character set that has no emoji.
SET SESSION sql_mode = '';
SET @hash = CONCAT('*', UPPER(SHA1(UNHEX(SHA1(@password)))));
SET @who = CONCAT('''', @name, '''@''%''');
-- A database that its owner has dropped since must not reappear with a new password.
EXECUTE IMMEDIATE IF(@is_new, CONCAT('CREATE DATABASE IF NOT EXISTS `', @database, '` CHARACTER SET utf8mb4'), 'DO 0');
EXECUTE IMMEDIATE CONCAT('CREATE USER IF NOT EXISTS ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, '''');
EXECUTE IMMEDIATE CONCAT('ALTER USER ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, '''');
-- In a grant, an underscore stands for any character unless it is escaped.
SET @pattern = REPLACE(@database, '_', '\\_');
EXECUTE IMMEDIATE CONCAT('GRANT ALL PRIVILEGES ON `', @pattern, '`.* TO ', @who);
EXECUTE IMMEDIATE CONCAT('GRANT ALL PRIVILEGES ON `', @pattern, '\\_%`.* TO ', @who);
