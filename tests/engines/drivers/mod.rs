//! The drivers of the engines behind a common trait, limited to what the contract needs.

mod mariadb;
mod mongodb;
mod neo4j;
mod postgres;

use async_trait::async_trait;
use mydb::domain::engine::EngineKind;

/// Where a database is, as its page says.
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

/// What a driver answers: an error is its own words.
pub type Said<T> = Result<T, String>;

/// Somebody signed in with the engine's own driver.
#[async_trait]
pub trait Session: Send {
    /// The server's version.
    async fn version(&mut self) -> Said<String>;
    /// Makes a table, collection or index for [`Session::put`], another beside it (`kept_too`), and where there are
    /// views, one (`kept_view`).
    async fn prepare(&mut self) -> Said<()>;
    /// Writes a text under a key.
    async fn put(&mut self, key: &str, value: &str) -> Said<()>;
    /// Reads it.
    async fn get(&mut self, key: &str) -> Said<Option<String>>;
    /// Writes `kept` in one transaction that is committed, and `dropped` in one that is rolled back.
    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()>;
    /// Tries what must be refused; answers what was not.
    async fn overreach(&mut self) -> Vec<String>;
    /// A setting that `dbconfig/` makes: what is in force and what should be.
    async fn setting(&mut self) -> Said<(String, String)>;
    /// Bytes of memory that the server has set aside for its cache, as it says itself.
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

/// An error in its own words.
pub fn words(e: impl std::fmt::Display + std::fmt::Debug) -> String {
    format!("{e:?}")
}
