//! Helpers shared by the engines' tests: one server specification, and the whole description of it to compare with.

use std::fmt::Debug;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::domain::names::{DbName, DbUser};
use crate::domain::quantity::{ByteSize, MIB, MilliCpus};
use crate::engine::description::Engine;
use crate::engine::spec::{ServerCert, ServerSpec, Tools};

/// Calls `test` with a specification for an image of the shipped catalog.
pub(super) fn described(engine: &dyn Engine, image: &str, test: impl FnOnce(&ServerSpec<'_>)) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let catalog = Catalog::load(&home.join("dbconfig/catalog.toml")).unwrap();
    let (dbname, dbuser) = engine.fixed_names().map_or(("trial", "ada"), |f| (f.dbname, f.dbuser));
    let ports: Vec<(String, u16)> = engine.ports().iter().map(|p| p.purpose.to_owned()).zip(41001..).collect();
    test(&ServerSpec {
        id: Uuid::from_u128(0x7001),
        image: catalog.find(image).unwrap(),
        memory: ByteSize(1024 * MIB),
        cpus: MilliCpus(1000),
        admin_user: engine.admin_user(),
        admin_password: &SecretString::from("admin-secret"),
        seed_password: None,
        dbname: &DbName::parse(dbname, &engine.database_rules()).unwrap(),
        dbuser: &DbUser::parse(dbuser, &engine.user_rules()).unwrap(),
        host: "db.example.org",
        ports: &ports,
        extensions: &["hstore".to_owned(), "uuid-ossp".to_owned()],
        tools: &Tools::default(),
        fresh: true,
    });
}

/// An engine's whole description of `plan`. The configuration files are short stand-ins, because the shipped ones
/// change independently.
pub(super) fn whole(engine: &dyn Engine, plan: &ServerSpec<'_>) -> impl Debug + use<> {
    let config = [
        ("postgresql.conf", "data_directory = '@DATA@'"),
        ("server.cnf", "[mariadbd]"),
        ("mongod.conf", "cacheSizeGB: @CACHE_GB@"),
        ("neo4j.conf", "server.memory.heap.max_size=@HEAP@\nserver.bolt.advertised_address=@BOLT@"),
    ];
    let config = config.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let cert = ServerCert { cert: "CERT".to_owned(), key: SecretString::from("KEY"), authority: "CA".to_owned() };
    let recipe = engine.recipe(plan, &config, &cert);
    let text = |name: &str| {
        let file = recipe.files.iter().find(|f| f.path.ends_with(name));
        file.map(|f| f.content.expose_secret().to_owned())
    };
    let texts = [text("memory.conf"), text("memory.cnf"), text("mongod.conf")];
    (
        texts,
        engine.probe(plan),
        engine.accounts(plan, &SecretString::from("user-secret"), true),
        engine.sessions(plan),
        engine.version_file(plan.image),
        recipe,
    )
}

/// Checks that no command contains a password in its arguments or in its debug output.
pub(super) fn no_secret_shows(engine: &dyn Engine, plan: &ServerSpec<'_>) {
    let accounts = engine.accounts(plan, &SecretString::from("user-secret"), true);
    let (probe, survey, copy) = (engine.probe(plan), engine.survey(plan), engine.copy_online(plan));
    let (listed, ended) = (engine.to_cut_off(plan), engine.cut_off(plan));
    let printed = format!("{probe:?} {accounts:?} {survey:?} {copy:?} {listed:?} {ended:?}");
    assert!(!printed.contains("-secret"), "{printed}");
}
