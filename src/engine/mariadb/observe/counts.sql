-- Reports the content of a database, one JSON line per table and per kind of object; list_objects.sql has listed them.
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE done, is_versioned INT DEFAULT 0;
  DECLARE one VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE listed CURSOR FOR SELECT name, versioned FROM mysql.db4sci_counted WHERE kind = 'table' ORDER BY name;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  -- The table was altered, dropped, or lost a column.
  DECLARE EXIT HANDLER FOR 1412, 1146, 1054 BEGIN
    SELECT CONCAT('db4sci: ', JSON_OBJECT('altered', CONCAT('The table ', @database, '.', one, ' was altered or dropped while its database was dumped.')));
    RESIGNAL;
  END;
  OPEN listed;
  every: LOOP
    FETCH listed INTO one, is_versioned;
    IF done THEN LEAVE every; END IF;
    SET @name = one, @fields = '''''', @rounded = '0', @lossy = '0';
    IF @fingerprints THEN
      -- Long values are hashed one by one, because a string must not exceed the packet size. NULL gets its own text.
      SELECT GROUP_CONCAT('IFNULL(', CASE
               WHEN DATA_TYPE IN ('point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection', 'geometry')
                 THEN CONCAT('CONCAT(ST_SRID(', q, '), ''/'', MD5(ST_AsBinary(', q, ')))')
               WHEN DATA_TYPE = 'bit' OR CHARACTER_OCTET_LENGTH <= 255 THEN CONCAT('HEX(', q, ')')
               WHEN CHARACTER_OCTET_LENGTH IS NOT NULL THEN CONCAT('MD5(', q, ')')
               WHEN DATA_TYPE = 'vector' THEN CONCAT('HEX(', q, ')')
               ELSE q END, ', ''N'')' ORDER BY ORDINAL_POSITION SEPARATOR ', '),
             -- mariadb-dump rounds what does not fit into six digits.
             COALESCE(GROUP_CONCAT(CASE WHEN DATA_TYPE = 'float' THEN CONCAT('COALESCE(SUM(', q, ' <> CAST(CONCAT(', q, ') AS FLOAT)), 0)') END SEPARATOR ' + '), '0')
        INTO @fields, @rounded
        FROM (SELECT *, CONCAT('`', REPLACE(COLUMN_NAME, '`', '``'), '`') AS q FROM information_schema.COLUMNS
               WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_NAME = one AND TABLE_NAME = one COLLATE utf8mb4_bin
                 AND EXTRA NOT LIKE '%VIRTUAL GENERATED%' AND COALESCE(GENERATION_EXPRESSION, '') NOT IN ('ROW START', 'ROW END')) c;
      -- A table may have virtual columns only.
      IF @fields IS NULL AND EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_NAME = one AND TABLE_NAME = one COLLATE utf8mb4_bin) THEN
        SET @fields = '''''';
      ELSEIF @fields IS NULL THEN
        SELECT CONCAT('db4sci: ', JSON_OBJECT('altered', CONCAT('The table ', @database, '.', one, ' was dropped while its database was dumped.')));
        SET @gone = LEFT(CONCAT('The table ', @database, '.', one, ' was dropped while its database was dumped.'), 128);
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @gone;
      END IF;
    END IF;
    -- mariadb-dump writes Unicode. Bytes that a character set does not define have no character there, and some have one
    -- that becomes other bytes in the restore. Index 0 of an ENUM is dumped like the value '', if there is one.
    SELECT COALESCE(GROUP_CONCAT(CONCAT_WS(' + ',
             IF(CHARACTER_SET_NAME IN ('utf8mb3', 'utf8mb4', 'latin1', 'binary'), NULL, CONCAT('COALESCE(SUM(CAST(', q, ' AS BINARY) <> CAST(CONVERT(CONVERT(', q, ' USING utf8mb4) USING ', CHARACTER_SET_NAME, ') AS BINARY)), 0)')),
             IF(DATA_TYPE = 'enum' AND REGEXP_REPLACE(COLUMN_TYPE, '(?<=[(,])\'([^\']|\'\')+\'', 'x') LIKE '%\'\'%', CONCAT('COALESCE(SUM(', q, ' + 0 = 0), 0)'), NULL)) SEPARATOR ' + '), '0')
      INTO @lossy
      FROM (SELECT *, CONCAT('`', REPLACE(COLUMN_NAME, '`', '``'), '`') AS q FROM information_schema.COLUMNS
             WHERE TABLE_SCHEMA = @database AND TABLE_SCHEMA = @database COLLATE utf8mb4_bin AND TABLE_NAME = one AND TABLE_NAME = one COLLATE utf8mb4_bin
               AND EXTRA NOT LIKE '%VIRTUAL GENERATED%' AND CHARACTER_SET_NAME IS NOT NULL) c
     WHERE CHARACTER_SET_NAME NOT IN ('utf8mb3', 'utf8mb4', 'latin1', 'binary') OR DATA_TYPE = 'enum' AND REGEXP_REPLACE(COLUMN_TYPE, '(?<=[(,])\'([^\']|\'\')+\'', 'x') LIKE '%\'\'%';
    -- The sum of the rows' hashes does not depend on their order, and an added pair does not cancel out as with xor.
    SET @query = CONCAT('SELECT CONCAT(''db4sci: '', JSON_OBJECT(''count'', JSON_OBJECT(''database'', @database, ''kind'', ''table'', ''name'', @name, ''rows'', COUNT(*)',
      IF(@fingerprints, CONCAT(', ''fingerprint'', CAST(COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('','', ', @fields, ')), 15), 16, 10) AS UNSIGNED)), 0) AS CHAR)'), ''),
      ')), IF(', @rounded, ' = 0, '''', CONCAT(CHAR(10 USING utf8mb4), ''db4sci: '', JSON_OBJECT(''note'', CONCAT(''Values of the type FLOAT in '', @database, ''.'', @name, '' are rounded to six digits in this backup, because mariadb-dump writes only six.'')))),',
      ' IF(', @lossy, ' = 0, '''', CONCAT(CHAR(10 USING utf8mb4), ''db4sci: '', JSON_OBJECT(''note'', CONCAT(''This backup changes text in '', @database, ''.'', @name, '' (values: '', ', @lossy, ', ''): mariadb-dump writes Unicode, from which these values come back as other bytes, such as backslashes in sjis, bytes that a character set does not define, or an invalid ENUM value beside the value “”. Convert the columns to utf8mb4, or to a binary type.'')))))',
      ' FROM `', REPLACE(@database, '`', '``'), '`.`', REPLACE(one, '`', '``'), '`', IF(is_versioned AND @history, ' FOR SYSTEM_TIME ALL', ''));
    SAVEPOINT db4sci_table;
    EXECUTE IMMEDIATE @query;
    IF is_versioned AND @history THEN
      -- With the history every row is counted, valid or not.
      SET @query = CONCAT('SELECT CONCAT(''db4sci: '', JSON_OBJECT(''count'', JSON_OBJECT(''database'', @database, ''kind'', ''present rows'', ''name'', @name, ''rows'', COUNT(*)))) FROM `',
        REPLACE(@database, '`', '``'), '`.`', REPLACE(one, '`', '``'), '`');
      EXECUTE IMMEDIATE @query;
    END IF;
    -- Release the table, so that an ALTER TABLE need not wait until the other tables are counted.
    ROLLBACK TO SAVEPOINT db4sci_table;
  END LOOP;
END//
DELIMITER ;
EXECUTE objects;
SELECT CONCAT('db4sci: ', JSON_OBJECT('count', JSON_OBJECT('database', @database, 'kind', 'object', 'name', name, 'rows', amount)))
  FROM mysql.db4sci_counted WHERE kind = 'object' ORDER BY name;
