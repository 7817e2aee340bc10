-- Before a database is restored: lets the owner's account sign in with a password that only the portal knows, and gives
-- it all privileges on this database and no others. The account's previous state is kept until everything is restored.
-- @name, @database, @password and @anew are set before this. An earlier attempt may have left a part of the database.
SET SESSION sql_mode = '';
SET @who = CONCAT('`', REPLACE(@name, '`', '``'), '`@`%`'), @hash = CONCAT('*', UPPER(SHA1(UNHEX(SHA1(@password)))));
CREATE TABLE IF NOT EXISTS mysql.db4sci_rebuild (what VARCHAR(20) PRIMARY KEY, value LONGTEXT) CHARACTER SET utf8mb4 ENGINE = InnoDB;
INSERT IGNORE INTO mysql.db4sci_rebuild SELECT 'account', Priv FROM mysql.global_priv WHERE User = @name AND Host = '%';
INSERT IGNORE INTO mysql.db4sci_rebuild SELECT 'packet', @@GLOBAL.max_allowed_packet;
SET GLOBAL max_allowed_packet = 1073741824;
EXECUTE IMMEDIATE CONCAT('CREATE USER IF NOT EXISTS ', @who);
EXECUTE IMMEDIATE CONCAT('ALTER USER ', @who, ' IDENTIFIED BY PASSWORD ''', @hash, ''' REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0 ACCOUNT UNLOCK PASSWORD EXPIRE NEVER');
CREATE OR REPLACE ROLE db4sci_rebuild;
-- In a grant, an underscore stands for any character unless it is escaped.
EXECUTE IMMEDIATE CONCAT('GRANT ALL PRIVILEGES ON `', REPLACE(REPLACE(REPLACE(REPLACE(@database, '\\', '\\\\'), '_', '\\_'), '%', '\\%'), '`', '``'), '`.* TO db4sci_rebuild');
EXECUTE IMMEDIATE CONCAT('GRANT db4sci_rebuild TO ', @who);
EXECUTE IMMEDIATE CONCAT('SET DEFAULT ROLE db4sci_rebuild FOR ', @who);
EXECUTE IMMEDIATE IF(@anew, CONCAT('DROP DATABASE IF EXISTS `', REPLACE(@database, '`', '``'), '`'), 'DO 0');
