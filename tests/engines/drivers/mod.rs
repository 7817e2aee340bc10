//! The drivers of the engines behind a common trait, limited to what the contract needs.

mod mariadb;
mod mongodb;
mod neo4j;
mod postgres;

use async_trait::async_trait;
use mydb::domain::engine::EngineKind;

/// Where a database can be reached, as shown on its page.
#[derive(Debug, Clone)]
pub struct Place {
    /// Engine.
    pub engine: EngineKind,
    /// Published ports by purpose.
    pub ports: Vec<(String, u16)>,
    /// Database.
    pub dbname: String,
    /// User.
    pub dbuser: String,
}

impl Place {
    /// The first port.
    pub fn port(&self) -> u16 {
        self.ports.first().expect("a port").1
    }
}

/// The result of a driver; an error is its message.
pub type Said<T> = Result<T, String>;

/// A session of the engine's own driver.
#[async_trait]
pub trait Session: Send {
    /// The server's version.
    async fn version(&mut self) -> Said<String>;
    /// Creates a table, collection or index for [`Session::put`], a second one (`kept_too`) and, if the engine has
    /// views, a view (`kept_view`).
    async fn prepare(&mut self) -> Said<()>;
    /// Writes a text under a key.
    async fn put(&mut self, key: &str, value: &str) -> Said<()>;
    /// Reads it.
    async fn get(&mut self, key: &str) -> Said<Option<String>>;
    /// Writes `kept` in one transaction that is committed, and `dropped` in one that is rolled back.
    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()>;
    /// Tries what must be refused; returns what was not.
    async fn overreach(&mut self) -> Vec<String>;
    /// A setting from `dbconfig/`: the value in force and the expected one.
    async fn setting(&mut self) -> Said<(String, String)>;
    /// Size of the server's cache in bytes, as reported by the server.
    async fn cache(&mut self) -> Said<i64>;
}

/// Signs in from outside.
pub async fn sign_in(place: &Place, password: &str) -> Said<Box<dyn Session>> {
    match place.engine {
        EngineKind::Postgres => postgres::sign_in(place, password).await,
        EngineKind::Mariadb => mariadb::sign_in(place, password).await,
        EngineKind::Mongodb => mongodb::sign_in(place, password).await,
        EngineKind::Neo4j => neo4j::sign_in(place, password).await,
    }
}

/// The message of an error.
pub fn words(e: impl std::fmt::Display + std::fmt::Debug) -> String {
    format!("{e:?}")
}
