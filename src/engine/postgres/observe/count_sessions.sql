\getenv dbuser DB4SCI_USER
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = :'dbuser';
