//! Pages that stay current by themselves: with scripting without loading again, without it by refreshing.

use serde_json::Value;

use super::driver::{Browser, JOB, Wish};
use crate::faults::{Place, held};
use crate::support::TestPortal;
use crate::templates;

/// Moves the pointer over the first value of a chart, and returns what is shown beside the title.
const HOVER: &str = "const area = document.querySelector('.chart .area');
    area.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
    return area.closest('.chart').querySelector('strong').textContent;";

/// Marks the page that is open, to recognise later that it was not loaded again.
pub async fn mark(browser: &Browser) {
    browser.script("window.marked = true").await;
}

/// Waits until the page says this, and checks that it was not loaded again since [`mark`].
pub async fn changes(browser: &Browser, what: &str, seen: impl AsyncFnMut(&Browser) -> bool) {
    browser.until(what, JOB, seen).await;
    let marked = browser.try_script("return window.marked === true").await;
    assert_eq!(marked, Some(Value::Bool(true)), "{what}, without loading the page again");
}

/// Makes a notice about a database.
fn tell(portal: &TestPortal, name: &str) {
    portal.sql(&format!(
        "insert into notice (id, container_id, kind, text, at, tell_after)
         select gen_random_uuid(), id, 'out_of_memory', 'It exceeded its limit.', now(), now() from container where name = '{name}'"
    ));
}

/// Holds the next restart of `lab` after it has stopped the server, until [`held::release`].
pub fn hold_restart(portal: &TestPortal) -> Place {
    let place = Place::of(portal);
    held::prepare(&place);
    held::hold(&place, "restart", "lab", 1, "done");
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_new_states_databases_and_notices_by_itself() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    assert!(browser.has("a.engine").await, "there are no databases yet");
    mark(&browser).await;
    // Elsewhere, for example in another window.
    ada.create("lab", &[]).await;
    changes(&browser, "the first database appears", async |b| {
        b.text("tbody .name").await == "lab" && b.text("tbody .chip").await == "running" && !b.has("a.engine").await
    })
    .await;
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    changes(&browser, "its state changes", async |b| b.text("tbody .chip").await == "stopped").await;
    ada.submit_create("second", &[]).await.expect(303);
    changes(&browser, "another one appears", async |b| b.texts("tbody .name").await.contains(&"second".to_owned()))
        .await;
    tell(&portal, "lab");
    changes(&browser, "a notice appears", async |b| b.text(".attention").await.contains("exceeded its memory limit"))
        .await;
    portal.sql("update notice set ended_at = now()");
    changes(&browser, "it disappears", async |b| !b.has(".attention").await).await;
    ada.wait_for("second", "running").await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_database_show_what_changes_and_keep_what_is_typed() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;

    browser.open("/containers/lab").await;
    mark(&browser).await;
    portal.sql(
        "insert into sample (container_id, at, size_bytes, memory_bytes, cpu_us, connections)
         select id, now() - n * interval '1 minute', 48000000, 60000000, (9 - n) * 4000000, 41 from container, generate_series(0, 3) n",
    );
    changes(&browser, "a point appears in the charts", async |b| b.text(".charts").await.contains("41")).await;
    let value = browser.script(HOVER).await;
    assert!(value.as_str().is_some_and(|text| text.contains("UTC: ")), "the value under the pointer: {value}");
    tell(&portal, "lab");
    changes(&browser, "a notice appears", async |b| b.text(".callout").await.contains("exceeded its memory limit"))
        .await;
    portal.sql("update notice set ended_at = now()");
    changes(&browser, "it disappears", async |b| !b.text("main").await.contains("exceeded its memory limit")).await;
    let place = hold_restart(&portal);
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    changes(&browser, "the steps of a job appear", async |b| b.text("#steps").await.contains("Restart")).await;
    held::release(&place);
    browser.until_state("lab", "running").await;
    assert!(browser.text("main").await.contains("Recent jobs"), "the page with the result");

    browser.open("/containers/lab/backups").await;
    mark(&browser).await;
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    changes(&browser, "a backup appears", async |b| b.text("tbody").await.contains("stored")).await;
    changes(&browser, "its test restore passes", async |b| b.text("tbody").await.contains("test restore passed")).await;

    // The action leads back to the tab, which follows the job and keeps what is typed meanwhile.
    browser.open("/containers/lab/settings").await;
    hold_restart(&portal);
    browser.press("Restart").await;
    browser.press("Restart now").await;
    browser.until("the tab follows", JOB, async |b| b.text("#steps").await.contains("Restart")).await;
    assert_eq!(browser.path().await, "/containers/lab/settings");
    mark(&browser).await;
    browser.fill_in("description", "typed meanwhile").await;
    held::release(&place);
    changes(&browser, "the result is shown", async |b| {
        b.text("#steps").await.contains("took") && b.text(".head .chip").await == "running"
    })
    .await;
    assert_eq!(browser.script("return document.getElementById('description').value").await, "typed meanwhile");
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_of_an_administrator_shows_what_changes() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in_as_admin().await;
    browser.open("/admin").await;
    mark(&browser).await;
    ada.create("lab", &[]).await;
    changes(&browser, "a database appears", async |b| b.texts("tbody .name").await.contains(&"lab".to_owned())).await;
    tell(&portal, "lab");
    changes(&browser, "a notice appears", async |b| b.text(".attention").await.contains("exceeded its memory limit"))
        .await;
    browser.quit().await;
}

/// Makes a template of this name without a version.
fn template(portal: &TestPortal, name: &str) {
    portal.sql(&format!(
        "insert into template (id, name, engine, image, storage, source, dbname, dbuser, memory_bytes, millicpus, created_by, created_at)
         select gen_random_uuid(), '{name}', engine, image, storage, '{name}.sql', dbname, dbuser, memory_bytes, millicpus, created_by, now()
           from template where name = 'shop'"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_templates_show_what_changes_and_keep_what_is_typed() {
    let portal = templates::portal().await;
    portal.user("ada").await;
    let admin = portal.admin().await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/templates").await;
    mark(&browser).await;
    templates::write(&portal, "shop.sql", templates::sql("create table goods (id int);\n"));
    admin.post("/templates/update", &[]).await.expect(303);
    changes(&browser, "an imported template appears", async |b| {
        b.text("tbody .name").await == "shop" && b.text("tbody .chip").await == "complete"
    })
    .await;
    template(&portal, "later");
    changes(&browser, "another one appears", async |b| b.texts("tbody .name").await == ["later", "shop"]).await;
    portal.sql("update template set users = '{grace}' where name = 'later'");
    changes(&browser, "it disappears when it is for others", async |b| b.texts("tbody .name").await == ["shop"]).await;
    portal.sql("update template set users = '{}' where name = 'later'");

    browser.open("/templates/later").await;
    assert!(!browser.has("#create form").await, "it has no version");
    mark(&browser).await;
    portal.sql(
        "insert into template_version (id, template_id, number, image, storage, dbname, dbuser, source, requested_at, made_at, bytes)
         select gen_random_uuid(), id, 1, image, storage, dbname, dbuser, source, now(), now(), 1048576 from template where name = 'later';
         update template t set current_version = v.id from template_version v where v.template_id = t.id and t.name = 'later'",
    );
    changes(&browser, "the form appears", async |b| b.has("#create form").await).await;
    browser.fill_in("name", "typed-meanwhile").await;
    portal.sql("update template set description = 'Prices of the spring' where name = 'later'");
    changes(&browser, "the description appears", async |b| b.text(".head").await.contains("Prices of the spring"))
        .await;
    assert_eq!(browser.script("return document.getElementById('name').value").await, "typed-meanwhile");

    browser.open("/templates/shop").await;
    mark(&browser).await;
    templates::write(
        &portal,
        "shop.sql",
        templates::sql("create table goods (id int); create table prices (id int);\n"),
    );
    admin.post("/templates/update", &[]).await.expect(303);
    changes(&browser, "the next version is in use", async |b| {
        b.texts("tbody .chip").await.first().is_some_and(|state| state == "current")
            && b.texts("tbody th").await.len() == 2
    })
    .await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripting_a_list_refreshes_while_a_state_changes_and_a_tab_says_what_runs() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish { scripting: false, ..Wish::default() }).await;
    browser.sign_in("ada", "researcher-1").await;
    let place = hold_restart(&portal);
    browser.open("/containers/lab/settings").await;
    browser.press("Restart").await;
    browser.press("Restart now").await;
    browser.until("the tab says what runs", JOB, async |b| b.text("#steps").await.contains("Running: Restart")).await;
    assert_eq!(browser.path().await, "/containers/lab/settings");
    browser.open("/").await;
    assert_eq!(browser.text("tbody .chip").await, "restarting");
    held::release(&place);
    browser.until("the list refreshes itself", JOB, async |b| b.text("tbody .chip").await == "running").await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_not_replaced_between_press_and_release_of_a_button_in_it() {
    // As in browsers that do not give a pressed button the focus.
    const WATCH: &str = "const button = document.querySelector('.head a, .head button, .head summary');
        const place = button.getBoundingClientRect();
        window.pressed = button; window.clicks = 0;
        addEventListener('mousedown', event => event.preventDefault(), true);
        addEventListener('click', event => { event.preventDefault(); window.clicks += button.contains(event.target); });
        return [place.x + place.width / 2, place.y + place.height / 2];";
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/lab").await;
    mark(&browser).await;
    let place = browser.script(WATCH).await;
    let mouse = async |what: &str| {
        let event =
            serde_json::json!({ "type": what, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
        browser.command("Input.dispatchMouseEvent", event).await;
    };
    mouse("mousePressed").await;
    portal.sql("update container set description = 'changed meanwhile'");
    tell(&portal, "lab");
    let notice = async |b: &Browser| b.text("main").await.contains("exceeded its memory limit");
    changes(&browser, "another part changes", notice).await;
    assert_eq!(browser.script("return window.pressed.isConnected").await, Value::Bool(true));
    assert!(!browser.text(".head").await.contains("changed meanwhile"));
    mouse("mouseReleased").await;
    changes(&browser, "the part follows", async |b| b.text(".head").await.contains("changed meanwhile")).await;
    assert_eq!(browser.script("return window.clicks").await, 1);
    browser.quit().await;
}
