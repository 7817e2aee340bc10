//! A template from a dump in the directory, as an administrator sees it in the browser.

use super::driver::{Browser, JOB, Wish};
use crate::templates;

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_becomes_a_template_that_is_cloned_and_survives_a_broken_dump() {
    let portal = templates::portal().await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in_as_admin().await;
    templates::write(
        &portal,
        "shop.sql",
        templates::sql("create table goods (id int primary key);\ninsert into goods values (1), (2), (3);\n"),
    );
    browser.open("/templates").await;
    browser.press_and_go("Import changed dumps").await;
    browser.until("the import is complete", JOB, async |b| b.text("tbody .chip").await == "complete").await;
    let row = browser.text("tbody tr").await;
    assert!(row.contains("shop") && row.contains("1 table, 3 rows"), "{row}");

    for number in 1..=5 {
        browser.open("/templates/shop").await;
        browser.fill_in("name", &format!("shop-copy-{number}")).await;
        browser.press("Create database").await;
        browser.until_state(&format!("shop-copy-{number}"), "running").await;
    }
    let made = "select count(*) from container c join template t on t.id = c.template_id where t.name = 'shop'";
    assert_eq!(portal.sql(made), "5");

    templates::write(
        &portal,
        "shop.sql",
        templates::sql("create table goods (id int primary key);\ninsert into godos values (1);\n"),
    );
    browser.open("/templates").await;
    browser.press_and_go("Import changed dumps").await;
    browser.until("the import failed", JOB, async |b| b.text("tbody .chip").await == "import failed").await;
    browser.open("/templates/shop").await;
    let page = browser.text("main").await;
    for words in ["The last import failed.", "shop.sql, line 3", "godos", "The previous version is still in use."] {
        assert!(page.contains(words), "{words}: {page}");
    }
    browser.fill_in("name", "shop-copy-6").await;
    browser.press("Create database").await;
    browser.until_state("shop-copy-6", "running").await;
    browser.open("/admin").await;
    let page = browser.text("main").await;
    assert!(page.contains("Import of the template shop failed"), "{page}");
    browser.quit().await;
}
