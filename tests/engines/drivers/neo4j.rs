//! Neo4j with neo4rs.

use std::time::Duration;

use async_trait::async_trait;
use neo4rs::{ConfigBuilder, Graph, query};

use super::{Place, Said, Session, words};
use crate::support::http;

struct Neo4j(Graph);

/// Signs in over HTTP first, because the driver retries a refused sign-in for minutes. Returns the reason of a refusal.
async fn refused(place: &Place, password: &str) -> Option<String> {
    let (purpose, port) = place.ports.iter().find(|(purpose, _)| purpose.starts_with("http")).expect("a port");
    // Servers that benchmarks start without a portal have no TLS.
    let scheme = if purpose == "http" { "https" } else { "http" };
    let body = serde_json::json!({"statements": [{"statement": "RETURN 1"}]});
    let ask = || {
        let client = http().danger_accept_invalid_certs(true).build().expect("a client");
        let request = client.post(format!("{scheme}://localhost:{port}/db/neo4j/tx/commit"));
        request.basic_auth(&place.dbuser, Some(password)).json(&body).timeout(Duration::from_secs(60)).send()
    };
    for _ in 0..40 {
        let answer = match ask().await {
            Ok(answer) if answer.status().is_success() => return None,
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(e) => return Some(words(e)),
        };
        // After three wrong passwords in a row even the right one has to wait for some seconds.
        if !answer.contains("AuthenticationRateLimit") {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Some("still locked".to_owned())
}

pub async fn sign_in(place: &Place, password: &str) -> Said<Box<dyn Session>> {
    if let Some(why) = refused(place, password).await {
        return Err(why);
    }
    let config = ConfigBuilder::default()
        .uri(format!("bolt://localhost:{}", place.port()))
        .user(place.dbuser.as_str())
        .password(password)
        .db(place.dbname.as_str())
        .max_connections(2)
        .build()
        .map_err(words)?;
    let mut session = Neo4j(Graph::connect(config).await.map_err(words)?);
    session.version().await?;
    Ok(Box::new(session))
}

impl Neo4j {
    async fn one(&self, q: neo4rs::Query) -> Said<Option<String>> {
        let mut rows = self.0.execute(q).await.map_err(words)?;
        let row = rows.next().await.map_err(words)?;
        row.map(|r| r.get("answer").map_err(words)).transpose()
    }
}

#[async_trait]
impl Session for Neo4j {
    async fn version(&mut self) -> Said<String> {
        let said = self.one(query("CALL dbms.components() YIELD versions RETURN versions[0] AS answer")).await?;
        said.ok_or_else(|| "no row".to_owned())
    }

    async fn prepare(&mut self) -> Said<()> {
        let statement = "CREATE CONSTRAINT kept IF NOT EXISTS FOR (k:Kept) REQUIRE k.key IS UNIQUE";
        self.0.run(query(statement)).await.map_err(words)?;
        self.0.run(query("CREATE (:Kept_too {key: 'x'})-[:BESIDE]->(:Kept_too)")).await.map_err(words)
    }

    async fn put(&mut self, key: &str, value: &str) -> Said<()> {
        let q = query("CREATE (:Kept {key: $key, value: $value})").param("key", key).param("value", value);
        self.0.run(q).await.map_err(words)
    }

    async fn get(&mut self, key: &str) -> Said<Option<String>> {
        self.one(query("MATCH (k:Kept {key: $key}) RETURN k.value AS answer").param("key", key)).await
    }

    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()> {
        for (key, keep) in [(kept, true), (dropped, false)] {
            let mut transaction = self.0.start_txn().await.map_err(words)?;
            transaction.run(query("CREATE (:Kept {key: $key, value: 'x'})").param("key", key)).await.map_err(words)?;
            if keep { transaction.commit().await } else { transaction.rollback().await }.map_err(words)?;
        }
        Ok(())
    }

    async fn overreach(&mut self) -> Vec<String> {
        // Every user of the Community edition may do everything in the database, but must not reach the server's files.
        let mut allowed = Vec::new();
        for file in ["file:///etc/passwd", "file:///../conf/neo4j.conf"] {
            let q = query("LOAD CSV FROM $file AS line RETURN line[0] AS answer LIMIT 1").param("file", file);
            if self.one(q).await.is_ok() {
                allowed.push(file.to_owned());
            }
        }
        allowed
    }

    async fn setting(&mut self) -> Said<(String, String)> {
        let q = query("SHOW SETTINGS 'db.transaction.timeout' YIELD value RETURN value AS answer");
        Ok((self.one(q).await?.unwrap_or_default(), "1h".to_owned()))
    }

    async fn cache(&mut self) -> Said<i64> {
        let q = query("SHOW SETTINGS 'server.memory.heap.max_size' YIELD value RETURN value AS answer");
        let said = self.one(q).await?.unwrap_or_default();
        let (number, unit) = said.split_at(said.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(said.len()));
        let factor = if unit.to_ascii_lowercase().starts_with('g') { 1024.0 } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "a size in MiB")]
        Ok((number.parse::<f64>().map_err(words)? * factor) as i64 * 1024 * 1024)
    }
}
