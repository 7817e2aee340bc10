-- Reads a table of contents and prints the runs in which it is restored: phase, run, role, number of the entry.
-- Consecutive entries with the same owner form a run. A line ends with the owner. What belongs to no role of the
-- backup, such as the administrator's objects, is restored by the database's owner.
\getenv db DB4SCI_DATABASE
\getenv admin DB4SCI_ADMIN
CREATE TEMP TABLE toc (n int GENERATED ALWAYS AS IDENTITY, line text);
@TOC@CREATE TEMP TABLE owners AS
  SELECT r.oid, ' ' || translate(r.rolname, E'\n\r', '  ') AS ending
    FROM pg_roles r WHERE r.rolname IN (SELECT line #>> '{role,name}' FROM db4sci.record WHERE line ? 'role');
WITH entry AS (
  SELECT n, split_part(line, ';', 1)::int AS id, (regexp_match(line, '^\d+; (\d+) '))[1] AS class,
         regexp_replace(line, '^\d+; \d+ \d+ ', '') AS what
    FROM toc WHERE line ~ '^\d+; \d+ \d+ '
), owned AS (
  SELECT e.n, e.id, CASE WHEN e.class = '2615' AND e.what LIKE 'SCHEMA - %' THEN 's' ELSE 'm' END AS phase,
         coalesce((SELECT o.oid FROM owners o WHERE right(e.what, length(o.ending)) = o.ending ORDER BY length(o.ending) DESC LIMIT 1),
                  (SELECT datdba FROM pg_database WHERE datname = :'db')) AS owner
    FROM entry e
   WHERE NOT (e.class = '3079' AND e.what LIKE 'EXTENSION - %') AND e.what NOT LIKE 'COMMENT - EXTENSION %'
     -- Rows in the administrator's table whose definition is not in the archive: an extension brings it, and no role of
     -- the backup may write to it. The backup names such rows.
     AND NOT (right(e.what, length(:'admin') + 1) = ' ' || :'admin' AND e.what ~ '^(TABLE DATA|SEQUENCE SET) '
              AND NOT EXISTS (SELECT FROM entry d WHERE d.what = regexp_replace(e.what, '^(TABLE|SEQUENCE) (DATA|SET) ', '\1 ')))
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY phase ORDER BY n) - row_number() OVER (PARTITION BY phase, owner ORDER BY n) AS island FROM owned
), ordered AS (
  SELECT *, min(n) OVER (PARTITION BY phase, owner, island) AS run FROM numbered
)
SELECT phase, run, owner, id FROM ordered ORDER BY phase = 'm', run, n;
