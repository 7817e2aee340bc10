-- Reads a table of contents. The names in a database in SQL_ASCII may be no text in UTF-8, which this server would refuse:
-- bytes are read as characters of Latin-1, and become text where they are text.
\encoding LATIN1
\copy toc (line) FROM pstdin
\encoding UTF8
CREATE FUNCTION pg_temp.text_of(line text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN convert_from(convert_to(line, 'LATIN1'), 'UTF8');
EXCEPTION WHEN OTHERS THEN
  RETURN line;
END $$;
UPDATE toc SET line = pg_temp.text_of(line) WHERE line ~ '[\u0080-\u00ff]';
