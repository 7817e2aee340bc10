//! Imports that are interrupted at a given place.

use mydb::templates::import::IMPORT;
use reqwest::Method;
use serde_json::{Value, json};

use super::{dumps, portal_with, settled, sql, update, write};
use crate::backups::nothing_left;
use crate::faults::{Place, held};
use crate::support::Client;

async fn refresh(api: &Client, name: &str) {
    api.json(Method::POST, &format!("/api/v1/templates/{name}/refresh"), &json!({})).await.expect(202);
}

fn text(said: &Value, key: &str) -> String {
    said[key].as_str().unwrap_or_else(|| panic!("{key}: {said}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_goes_away_during_an_import_leaves_the_version_before_it_in_use() {
    let portal = portal_with(|_| {}).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    let place_of = Place::of(&portal);
    held::prepare(&place_of);
    held::hold(&place_of, IMPORT.kind.as_str(), "shop", 3, "Counting and checking");
    refresh(&api, "shop").await;
    portal.until(held::WAITING, |said| said == "1").await;
    std::fs::rename(dumps(&portal), dumps(&portal).with_extension("away")).expect("renamed");
    held::release(&place_of);
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["versions"][0]["status"]), (&json!(1), &json!("failed")), "{shop}");
    assert!(text(&shop["versions"][0], "error").contains("Is its disk mounted?"), "{shop}");

    // Once it is there again, so is the dump.
    std::fs::rename(dumps(&portal).with_extension("away"), dumps(&portal)).expect("renamed");
    let shop = api.json(Method::POST, "/api/v1/templates/shop/refresh?wait=240", &json!({})).await.expect(200).json();
    assert_eq!(shop["version"], json!(3), "{shop}");
    nothing_left(&portal, 2);
}
