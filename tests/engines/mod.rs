//! One contract, kept by every engine in every version whose image is here: from the form to the purge, with the
//! engine's own driver, from outside, through the published port.

mod bad_input;
mod contract;
mod drivers;
mod every_engine;
mod looks;
mod seeds;
mod snippets;

pub use drivers::{Place, Session, sign_in};

use mydb::engine::EngineKind;

/// The images that are built here: the engine, the form's value, the version.
pub const IMAGES: &[(EngineKind, &str, &str)] = &[
    (EngineKind::Postgres, "docker.io/library/postgres:17", "17"),
    (EngineKind::Postgres, "docker.io/library/postgres:15", "15"),
    (EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "11.8"),
    (EngineKind::Mariadb, "docker.io/library/mariadb:10.11", "10.11"),
    (EngineKind::Mongodb, "docker.io/library/mongo:6.0", "6.0"),
    (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "5.26"),
];

/// The fields of the form that differ by engine.
pub fn fields(engine: EngineKind, image: &str) -> Vec<(&'static str, String)> {
    let mut fields = vec![("engine", engine.to_string()), ("image", image.to_owned())];
    if engine.engine().fixed_names().is_some() {
        fields.extend([("dbname", String::new()), ("dbuser", String::new())]);
    }
    fields
}
