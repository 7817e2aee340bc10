SET SESSION sql_mode = '', time_zone = '+00:00', autocommit = 1, max_statement_time = 0, lock_wait_timeout = 60,
 innodb_lock_wait_timeout = 50, wait_timeout = 86400, interactive_timeout = 86400, idle_transaction_timeout = 0,
 idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0, net_read_timeout = 600, net_write_timeout = 600,
 sql_quote_show_create = 1, sql_select_limit = DEFAULT, sql_safe_updates = 0, sql_big_selects = 1, max_join_size = DEFAULT,
 sql_auto_is_null = 0, group_concat_max_len = 1073741824, optimizer_switch = DEFAULT, tx_isolation = 'REPEATABLE-READ',
 tx_read_only = 0, completion_type = 0, old_mode = DEFAULT, lc_messages = 'en_US', lc_time_names = 'en_US',
 div_precision_increment = 4, timestamp = DEFAULT
