//! MariaDB with mysql_async.

use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, TxOpts};

use super::{Place, Said, Session, words};

struct Mariadb(Conn);

pub async fn sign_in(place: &Place, password: &str) -> Said<Box<dyn Session>> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(place.port())
        .db_name(Some(&place.dbname))
        .user(Some(&place.dbuser))
        .pass(Some(password))
        .max_allowed_packet(Some(64 << 20))
        .prefer_socket(false);
    Ok(Box::new(Mariadb(Conn::new(options).await.map_err(words)?)))
}

impl Mariadb {
    async fn one(&mut self, query: &str) -> Said<String> {
        self.0.query_first(query).await.map_err(words)?.ok_or_else(|| "no row".to_owned())
    }
}

#[async_trait]
impl Session for Mariadb {
    async fn version(&mut self) -> Said<String> {
        // Without the suffix of the packager, like the version in the portal.
        self.one("select substring_index(version(), '-', 1)").await
    }

    async fn prepare(&mut self) -> Said<()> {
        for statement in [
            "create table if not exists kept (`key` varchar(80) primary key, value longtext not null, index (value(20)))",
            "create table if not exists kept_too (x int)",
            "create or replace view kept_view as select `key` from kept",
        ] {
            self.0.query_drop(statement).await.map_err(words)?;
        }
        Ok(())
    }

    async fn put(&mut self, key: &str, value: &str) -> Said<()> {
        self.0.exec_drop("insert into kept values (?, ?)", (key, value)).await.map_err(words)
    }

    async fn get(&mut self, key: &str) -> Said<Option<String>> {
        self.0.exec_first("select value from kept where `key` = ?", (key,)).await.map_err(words)
    }

    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()> {
        for (key, keep) in [(kept, true), (dropped, false)] {
            let mut transaction = self.0.start_transaction(TxOpts::default()).await.map_err(words)?;
            transaction.exec_drop("insert into kept values (?, 'x')", (key,)).await.map_err(words)?;
            if keep { transaction.commit().await } else { transaction.rollback().await }.map_err(words)?;
        }
        Ok(())
    }

    async fn overreach(&mut self) -> Vec<String> {
        let mut allowed = Vec::new();
        for statement in [
            "select * from mysql.global_priv",
            "create user other identified by 'other-other'",
            "grant all on *.* to 'ada'@'%'",
            "set global max_connections = 1",
            "create database elsewhere",
            // An underscore in the name is not a wildcard.
            "create database trialXother",
            "select * from kept into outfile '/var/lib/mysql/out'",
            "load data infile '/etc/passwd' into table kept",
            "drop user 'root'@'localhost'",
            "shutdown",
        ] {
            if self.0.query_drop(statement).await.is_ok() {
                allowed.push(statement.to_owned());
            }
        }
        // Without the FILE privilege this returns NULL, not an error.
        if self.one("select coalesce(load_file('/etc/passwd'), 'nothing')").await != Ok("nothing".to_owned()) {
            allowed.push("load_file".to_owned());
        }
        // The user owns databases whose names begin with the name of its own database.
        if let Err(e) = self.0.query_drop("create database trial_two").await {
            allowed.push(format!("its own second database is refused: {e}"));
        }
        allowed
    }

    async fn setting(&mut self) -> Said<(String, String)> {
        let mode = self.one("select @@global.sql_mode").await?;
        let set = self.one("select @@character_set_server").await?;
        let strict = mode.contains("STRICT_TRANS_TABLES");
        // The time zones are loaded, too.
        let zone = self.one("select convert_tz('2026-01-01 12:00:00', 'UTC', 'Europe/Vienna')").await?;
        Ok((format!("{strict} {set} {zone}"), "true utf8mb4 2026-01-01 13:00:00".to_owned()))
    }

    async fn cache(&mut self) -> Said<i64> {
        self.one("select @@innodb_buffer_pool_size").await?.parse().map_err(words)
    }
}
