//! PostgreSQL with tokio-postgres.

use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::{Client, NoTls};

use super::{Place, Said, Session, words};

/// How long a running server may take to accept a connection on a busy machine.
const SIGN_IN: Duration = Duration::from_secs(60);

struct Postgres(Client);

pub async fn sign_in(place: &Place, password: &str) -> Said<Box<dyn Session>> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(place.port()).dbname(&place.dbname).user(&place.dbuser).password(password);
    // The engine's proxy accepts connections of servers that do not respond.
    let begun = tokio::time::timeout(SIGN_IN, config.connect(NoTls)).await;
    let (client, connection) = begun.map_err(|_| format!("no response within {SIGN_IN:?}"))?.map_err(words)?;
    tokio::spawn(connection);
    Ok(Box::new(Postgres(client)))
}

impl Postgres {
    async fn one(&self, query: &str) -> Said<String> {
        Ok(self.0.query_one(query, &[]).await.map_err(words)?.get(0))
    }
}

#[async_trait]
impl Session for Postgres {
    async fn version(&mut self) -> Said<String> {
        self.one("show server_version").await
    }

    async fn prepare(&mut self) -> Said<()> {
        let statements = "create table if not exists kept (key text primary key, value text not null);
                          create index if not exists kept_value on kept (left(value, 20));
                          create table if not exists kept_too (key text);
                          create or replace view kept_view as select key from kept";
        self.0.batch_execute(statements).await.map_err(words)
    }

    async fn put(&mut self, key: &str, value: &str) -> Said<()> {
        self.0.execute("insert into kept values ($1, $2)", &[&key, &value]).await.map_err(words).map(|_| ())
    }

    async fn get(&mut self, key: &str) -> Said<Option<String>> {
        let row = self.0.query_opt("select value from kept where key = $1", &[&key]).await.map_err(words)?;
        Ok(row.map(|r| r.get(0)))
    }

    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()> {
        for (key, keep) in [(kept, true), (dropped, false)] {
            let transaction = self.0.transaction().await.map_err(words)?;
            transaction.execute("insert into kept values ($1, 'x')", &[&key]).await.map_err(words)?;
            if keep { transaction.commit().await } else { transaction.rollback().await }.map_err(words)?;
        }
        Ok(())
    }

    async fn overreach(&mut self) -> Vec<String> {
        let mut allowed = Vec::new();
        for statement in [
            "select rolpassword from pg_authid",
            "create role other superuser",
            "create role other",
            "alter role ada superuser",
            "alter system set fsync = off",
            "select pg_read_file('/etc/passwd')",
            "select pg_ls_dir('/etc/db4sci')",
            "copy kept from '/etc/passwd'",
            "copy kept to program 'id'",
            "drop role db4sci_admin",
            "set role db4sci_admin",
        ] {
            if self.0.batch_execute(statement).await.is_ok() {
                allowed.push(statement.to_owned());
            }
        }
        allowed
    }

    async fn setting(&mut self) -> Said<(String, String)> {
        Ok((self.one("show log_min_duration_statement").await?, "10s".to_owned()))
    }

    async fn cache(&mut self) -> Said<i64> {
        let text =
            self.one("select (setting::bigint * 8192)::text from pg_settings where name = 'shared_buffers'").await?;
        text.parse().map_err(words)
    }
}
