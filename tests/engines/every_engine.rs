//! The parts of an engine: for a new engine, this test reports what is missing.

use std::path::Path;

use mydb::catalog::Catalog;
use mydb::domain::engine::EngineKind;
use mydb::engine::{Authority, Endpoint, Snippet, Tls};

use super::IMAGES;
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn every_engine_is_complete() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let catalog = Catalog::load(&home.join("dbconfig/catalog.toml")).expect("the catalog is sound");
    let portal = TestPortal::start().await;
    let ports: Vec<(String, u16)> =
        ["postgres", "mariadb", "mongodb", "bolt", "http"].map(|p| (p.to_owned(), 41000)).to_vec();
    for kind in EngineKind::ALL {
        let engine = kind.engine();
        assert!(catalog.of(kind).next().is_some(), "{kind} has an image in the catalog");
        let folder = home.join("dbconfig").join(kind.as_str());
        assert!(folder.read_dir().is_ok_and(|mut d| d.next().is_some()), "{kind} has configuration files");
        assert!(home.join(format!("static/engines/{kind}.svg")).is_file(), "{kind} has an icon");
        portal.nobody().get(&format!("/docs/{kind}")).await.expect(200);
        assert!(IMAGES.iter().any(|(e, ..)| *e == kind), "{kind} is tested for the contract");
        assert!(!engine.tools().is_empty() && !engine.ports().is_empty() && !engine.tagline().is_empty(), "{kind}");
        let endpoint = Endpoint { host: "h", ports: &ports, dbname: "d", dbuser: "u" };
        let authority = Authority { url: "https://portal/ca.pem".to_owned(), trusted: true };
        let snippets = engine.snippets(&endpoint, Tls::Verified(&authority));
        let unverified = engine.snippets(&endpoint, Tls::Unverified);
        let ids = |list: &[Snippet]| list.iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(&snippets), ids(&unverified), "{kind}");
        assert!(unverified.iter().all(|s| !s.text.contains("ca.pem")), "{kind} has examples without verification");
        for language in ["sh", "python"] {
            let fetched = |s: &&Snippet| s.language == language && s.text.contains(&authority.url);
            assert!(snippets.iter().any(|s| fetched(&s)), "{kind}: the example for {language} fetches ca.pem");
        }
        for language in ["sh", "url", "python", "r", "java"] {
            assert!(snippets.iter().any(|s| s.language == language), "{kind} has snippets for {language}");
        }
        let help = portal.nobody().get("/docs/connecting").await.expect(200).text();
        assert!(
            help.contains(&format!("export {}", engine.password_variable())),
            "{kind}: the help explains how to set it"
        );
        assert!(snippets.iter().any(|s| s.note.contains(engine.password_variable())), "{kind} names its variable");
        for s in &snippets {
            assert!(s.text.contains("41000") && !s.text.contains(":0/"), "{kind} {}: {}", s.id, s.text);
        }
    }
}
