-- Makes the user and its database, or brings an earlier half-made attempt to the same end. The portal puts three
-- lines before this: @name, @database and @password, each as hexadecimal digits, so nothing needs quoting.
-- The password's own bytes are hashed here, as a client would (the documented double SHA-1), because the text
-- of a statement passes through a character set that knows no emoji.
SET SESSION sql_mode = '';
SET @hash = CONCAT('*', UPPER(SHA1(UNHEX(SHA1(@password)))));
SET @who = CONCAT('''', @name, '''@''%''');
EXECUTE IMMEDIATE CONCAT('CREATE DATABASE IF NOT EXISTS `', @database, '` CHARACTER SET utf8mb4');
EXECUTE IMMEDIATE CONCAT('CREATE USER IF NOT EXISTS ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, '''');
EXECUTE IMMEDIATE CONCAT('ALTER USER ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, '''');
-- In a grant, an underscore stands for any character unless it is escaped.
SET @pattern = REPLACE(@database, '_', '\\_');
EXECUTE IMMEDIATE CONCAT('GRANT ALL PRIVILEGES ON `', @pattern, '`.* TO ', @who);
EXECUTE IMMEDIATE CONCAT('GRANT ALL PRIVILEGES ON `', @pattern, '\\_%`.* TO ', @who);
