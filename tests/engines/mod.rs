//! A contract that every engine fulfils in every version whose image is available: from the form to permanent deletion,
//! with the engine's own driver, from outside through the published port.

mod bad_input;
mod contract;
mod drivers;
mod every_engine;
mod scans;
mod seeds;
mod shm;
pub mod snippets;
mod spares;

pub use drivers::{Place, Session, sign_in};

use mydb::domain::engine::EngineKind;

use crate::support::TestPortal;

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

/// Where the user of a database made with [`fields`] signs in.
pub fn place(portal: &TestPortal, engine: EngineKind, name: &str) -> Place {
    let fixed = engine.engine().fixed_names();
    let ports = portal.sql(&format!(
        "select string_agg(purpose || ' ' || port, ',' order by purpose) from port
           join container on container.id = container_id where name = '{name}'"
    ));
    Place {
        engine,
        ports: ports
            .split(',')
            .map(|p| p.split_once(' ').expect("a port"))
            .map(|(purpose, port)| (purpose.to_owned(), port.parse().expect("a number")))
            .collect(),
        dbname: fixed.map_or("trial", |f| f.dbname).to_owned(),
        dbuser: fixed.map_or("ada", |f| f.dbuser).to_owned(),
    }
}
